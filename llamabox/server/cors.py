"""Cross-origin headers: as with llama-server, a page of any origin may talk to this server."""

from __future__ import annotations

from sanic import HTTPResponse
from sanic.response import BaseHTTPResponse

from .trace import AnyRequest

__all__ = ["allow_origin", "preflight"]

METHODS = "GET, POST, DELETE, OPTIONS"
MAX_AGE_SECONDS = "86400"


def allow_origin(request: AnyRequest, response: BaseHTTPResponse) -> None:
    """Allow the page that sent ``request`` to read ``response``."""
    origin = request.headers.get("origin")
    response.headers["Access-Control-Allow-Origin"] = origin or "*"
    if origin:
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Vary"] = "Origin"


def preflight(request: AnyRequest) -> HTTPResponse:
    """The answer to a browser that asks whether it may send the real request."""
    # With credentials a browser takes "*" literally, so the headers asked for are named.
    asked = request.headers.get("access-control-request-headers", "*")
    return HTTPResponse(
        status=200,
        content_type="text/plain",
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": asked,
            "Access-Control-Max-Age": MAX_AGE_SECONDS,
        },
    )
