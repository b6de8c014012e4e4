"""What Sanic leaves out of HTTP: replies to URLs that are none, and streams for HTTP/1.0."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config
from sanic.http import Http, Stage

__all__ = ["AnsweredRequest", "StreamUntilClose"]

NO_METHOD = "NONE"
"""Of the request that Sanic makes up in order to answer one that it could not read."""


class AnsweredRequest(Request[Sanic[Config, Any], SimpleNamespace]):
    """A request that can be made up for a URL that is none: Sanic repeats the URL, and fails."""

    def __init__(self, *, url_bytes: bytes, method: str, **fields: Any) -> None:
        url = b"*" if method == NO_METHOD else url_bytes
        super().__init__(url_bytes=url, method=method, **fields)


class StreamUntilClose(HTTPResponse):
    """A stream that ends with its connection, for clients of HTTP/1.0, which know no chunks."""

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        self.headers.pop("transfer-encoding", None)
        return super().processed_headers

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """As Sanic's, with the bytes as they are."""
        http = cast(Http, self.stream)
        if http.stage is Stage.HANDLER:
            http.keep_alive = False
            await super().send(b"", end_stream=False)
        if data:
            await http._send(data)
        if end_stream:
            http.response_func = None  # type: ignore[assignment]
            http.stage = Stage.IDLE
