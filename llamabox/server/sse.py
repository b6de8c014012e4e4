"""Server-sent events: frames rendered around a hole, and the response that carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sanic import HTTPResponse

from .http_edges import StreamUntilClose
from .trace import AnyRequest

__all__ = ["DONE", "HOLE", "EventStream", "event", "fill", "split_event"]

DONE = b"data: [DONE]\n\n"
HOLE = "\x00"
"""A value that :func:`split_event` cuts out of a payload."""

PING = b":\n\n"
PING_SECONDS = 15.0

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_HOLE_JSON = orjson.dumps(HOLE)


def event(payload: bytes) -> bytes:
    """One event with ``payload``, which is JSON, as its data."""
    return b"data: " + payload + b"\n\n"


def split_event(payload: Mapping[str, Any]) -> list[bytes]:
    """The event of ``payload``, cut at every :data:`HOLE`: what a stream renders only once."""
    return event(orjson.dumps(payload)).split(_HOLE_JSON)


def fill(frame: list[bytes], values: Iterable[bytes]) -> bytes:
    """An event that was cut at its holes, with their values in order."""
    rest = iter(frame)
    parts = [next(rest)]
    for value, part in zip(values, rest, strict=True):
        parts += (value, part)
    return b"".join(parts)


class EventStream:
    """A ``text/event-stream`` reply that opens at its first frame and pings while it is idle.

    After one to two times the interval without a frame a comment is sent. No timer is touched per
    frame.

    :param ping_seconds: the interval; -1 sends none, None is :data:`PING_SECONDS`.
    :ivar is_open: the status line is on its way, so that an error must be an event.
    """

    def __init__(self, request: AnyRequest, ping_seconds: float | None = None) -> None:
        self._request = request
        self._response: HTTPResponse | None = None
        self.is_open = False
        self._n_sent = 0
        self._n_seen = 0
        self._ping: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._interval = PING_SECONDS if ping_seconds is None else ping_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    async def prepare(self) -> HTTPResponse:
        """Make the head, while there is nothing to send yet; an error's can take its place."""
        if self._response is None:
            kind = StreamUntilClose if self._request.version == "1.0" else HTTPResponse
            reply = kind(headers=_HEADERS, content_type="text/event-stream")
            self._response = await self._request.respond(reply)
            # Sanic has one response alone pass through the middleware, but an error's has to.
            self._request._response_middleware_started = False
        return self._response

    async def send(self, frames: bytes) -> None:
        """Send ``frames`` in one write; waits while the client reads too slowly."""
        self._n_sent += 1
        response = self._response or await self.prepare()
        self.is_open = True
        await response.send(frames)

    async def close(self, frames: bytes) -> None:
        """Send the last frames and end the response."""
        response = self._response or await self.prepare()
        self.is_open = True
        self.stop()
        await response.send(frames, end_stream=True)

    def stop(self) -> None:
        """End the pings."""
        if self._timer is not None:
            self._timer.cancel()
        if self._ping is not None:
            self._ping.cancel()

    def _tick(self) -> None:
        if self._n_seen == self._n_sent and (self._ping is None or self._ping.done()):
            self._ping = self._loop.create_task(self.send(PING))
        self._n_seen = self._n_sent
        self._wait()

    def _wait(self) -> None:
        if self._interval > 0:
            self._timer = self._loop.call_later(self._interval, self._tick)
