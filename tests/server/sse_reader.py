"""Reading a stream of server-sent events, strictly."""

from __future__ import annotations

from typing import Any

import httpx
import orjson


def events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[Any]:
    """The events of a streamed POST: parsed JSON, and the string ``[DONE]``."""
    with client.stream("POST", path, json=body | {"stream": True}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        return parse(response.read())


def parse(stream: bytes) -> list[Any]:
    """The events in ``stream``; each is one ``data`` line and one empty line."""
    assert stream.endswith(b"\n\n")
    frames = [frame for frame in stream[:-2].split(b"\n\n") if frame != b":"]
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in frames)
    payloads = [frame.removeprefix(b"data: ") for frame in frames]
    return ["[DONE]" if data == b"[DONE]" else orjson.loads(data) for data in payloads]
