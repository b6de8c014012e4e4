"""A small HTTP/1.1 client for event streams: it notes when bytes arrive and reads them later.

A load generator shares the machine with the server it measures, so what it does for an event is
next to nothing: find the line, keep it with the time. JSON is parsed when the load is over.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import urllib.parse
from typing import cast

LOCAL_HOSTS = ("127.0.0.1", "localhost")


@dataclasses.dataclass(slots=True)
class RawReply:
    """A reply as it came; times in nanoseconds of `time.perf_counter_ns`.

    :param status: HTTP status; 0 if the connection ended before one came.
    :param sent_at: when the request was written.
    :param times: when each event arrived.
    :param events: the data of each event.
    :param body: what came instead of events, such as an error.
    """

    sent_at: int
    status: int = 0
    ended_at: int = 0
    times: list[int] = dataclasses.field(default_factory=list)
    events: list[bytes] = dataclasses.field(default_factory=list)
    body: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where a local server listens."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """:raises ValueError: the URL is not plain HTTP on this machine."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in LOCAL_HOSTS:
            raise ValueError(f"{url}: only http://127.0.0.1 and http://localhost are loaded")
        return cls(parts.hostname, parts.port or 80, parts.path.rstrip("/"))


class Connection:
    """One keep-alive connection, opened when it is first needed; one request at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._protocol: _Protocol | None = None

    async def post(self, path: str, body: bytes) -> RawReply:
        """Send JSON and wait for the whole reply.

        A server may close a connection after any reply, so one that was used before and ends
        before the reply begins is opened again.

        :raises OSError: the connection failed, or ended within the reply.
        """
        protocol = await self._open()
        head = (
            f"POST {self._address.path}{path} HTTP/1.1\r\n"
            f"Host: {self._address.host}:{self._address.port}\r\n"
            "Content-Type: application/json\r\nAccept: text/event-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        was_used = protocol.is_used
        try:
            return await protocol.exchange(request)
        except ConnectionError:
            if not was_used or protocol.has_reply:
                raise
        return await (await self._open()).exchange(request)

    def hang_up(self) -> None:
        """Close at once; a `post` that waits returns what has come so far."""
        if self._protocol is not None:
            self._protocol.give_up()

    def close(self) -> None:
        if self._protocol is not None:
            self._protocol.close()

    async def _open(self) -> _Protocol:
        if self._protocol is None or self._protocol.is_closed:
            loop = asyncio.get_running_loop()
            _, self._protocol = await loop.create_connection(
                _Protocol, self._address.host, self._address.port
            )
        return self._protocol


class _Protocol(asyncio.Protocol):
    """Splits what arrives into head, chunks and event lines."""

    def __init__(self) -> None:
        self.is_closed = False
        self.is_used = False
        self._buffer = bytearray()
        self._reply = RawReply(0)
        self._done: asyncio.Future[RawReply] | None = None
        self._is_chunked = False
        self._n_left = -1
        self._text = bytearray()

    @property
    def has_reply(self) -> bool:
        """Whether the reply to the last request has begun."""
        return self._reply.status != 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def exchange(self, request: bytes) -> asyncio.Future[RawReply]:
        """Write a request; the future has its reply."""
        self.is_used = True
        self._done = asyncio.get_running_loop().create_future()
        self._reply = RawReply(time.perf_counter_ns())
        self._n_left = -1
        self._text.clear()
        self._transport.write(request)
        return self._done

    def close(self) -> None:
        self._transport.close()

    def give_up(self) -> None:
        """End the reply where it is."""
        self._finish(time.perf_counter_ns())
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        self._buffer += data
        if self._reply.status == 0 and not self._take_head():
            return
        is_over = self._take_chunks() if self._is_chunked else self._take_sized()
        self._take_events(now)
        if is_over:
            self._finish(now)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the server hung up"))

    def _take_head(self) -> bool:
        """Read the status line and the headers; False if they are not all there."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status_line, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self._reply.status = int(status_line.split()[1])
        self._is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        if not self._is_chunked:
            self._n_left = int(headers.get("content-length", 0))
        return True

    def _take_chunks(self) -> bool:
        """Append whole chunks to the text; True after the last one."""
        buffer = self._buffer
        start = 0
        is_over = False
        while not is_over and (end := buffer.find(b"\r\n", start)) >= 0:
            size = int(buffer[start:end], 16)
            after = end + 2 + size + 2
            if len(buffer) < after:
                break
            self._text += buffer[end + 2 : after - 2]
            start = after
            is_over = size == 0
        del buffer[:start]
        return is_over

    def _take_sized(self) -> bool:
        """Append bytes of a body whose length is known; True when it is complete."""
        self._n_left -= len(self._buffer)
        self._text += self._buffer
        self._buffer.clear()
        return self._n_left <= 0

    def _take_events(self, now: int) -> None:
        """Move complete `data:` lines out of the text."""
        end = self._text.rfind(b"\n")
        if end < 0 or self._reply.status != 200:
            return
        for line in bytes(self._text[:end]).split(b"\n"):
            if line.startswith(b"data:"):
                self._reply.events.append(line[5:].strip())
                self._reply.times.append(now)
        del self._text[: end + 1]

    def _finish(self, now: int) -> None:
        self._reply.ended_at = now
        self._reply.body = bytes(self._text)
        if self._done is not None and not self._done.done():
            self._done.set_result(self._reply)
