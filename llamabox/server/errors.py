"""From an exception to an HTTP error: one table, one JSON shape.

Every error body is OpenAI's ``{"error": {"message", "type", "param", "code"}}``, where ``code``
is the HTTP status, as llama-server has it.
"""

from __future__ import annotations

import dataclasses
import logging
from asyncio import CancelledError
from typing import Any

import orjson
from sanic import HTTPResponse
from sanic.exceptions import SanicException, ServiceUnavailable
from sanic.handlers import ErrorHandler

from ..errors import (
    EngineClosed,
    EngineOverloaded,
    GenerationError,
    IncompatibleLibrary,
    InvalidRequest,
    ModelLoadError,
    PromptTooLong,
)
from .trace import AnyRequest, trace_of

__all__ = ["ErrorReply", "JsonErrorHandler", "NotEnabled", "NotReady", "Unauthorized"]

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""Status of a request whose sender went away; seen in the log only."""


class Unauthorized(Exception):
    """The request carries no accepted API key."""


class NotEnabled(Exception):
    """The server was started without the flag that this route needs."""


class NotReady(Exception):
    """The model is not loaded yet, or the server is shutting down."""


_STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (InvalidRequest, 400),
    (Unauthorized, 401),
    (EngineOverloaded, 429),
    (CancelledError, CLIENT_CLOSED_REQUEST),
    (NotEnabled, 501),
    (IncompatibleLibrary, 501),
    (NotReady, 503),
    (ModelLoadError, 503),
    (EngineClosed, 503),
    (GenerationError, 500),
)
"""First match wins. Sanic's exceptions bring their own status; anything else is a 500."""

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    501: "not_supported_error",
    503: "unavailable_error",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """One error as HTTP says it."""

    status: int
    type: str
    message: str
    param: str | None = None
    details: dict[str, int] = dataclasses.field(default_factory=dict)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, error: BaseException, request: AnyRequest) -> ErrorReply:
        """The reply to ``error``; what nobody raised on purpose is logged and not shown."""
        status = _status(error)
        request_id = trace_of(request).id
        if not _is_expected(error):
            logger.error("request %s failed", request_id, exc_info=error)
        if isinstance(error, PromptTooLong):
            return cls(
                status=status,
                type="exceed_context_size_error",
                message=str(error),
                param=error.param,
                details={"n_prompt_tokens": error.n_prompt, "n_ctx": error.n_ctx},
            )
        return cls(
            status=status,
            type=_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
            message=_message(error, request_id),
            param=error.param if isinstance(error, InvalidRequest) else None,
            headers=_headers(error),
        )

    def body(self) -> bytes:
        """The JSON body; also what a stream that is under way sends as its last event."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.status,
        }
        return orjson.dumps({"error": error | self.details})

    def response(self) -> HTTPResponse:
        return HTTPResponse(
            self.body(), self.status, headers=self.headers, content_type="application/json"
        )


class JsonErrorHandler(ErrorHandler):
    """Answers every exception, Sanic's own too, in the one shape."""

    def default(self, request: AnyRequest, exception: Exception) -> HTTPResponse:
        return ErrorReply.of(exception, request).response()


def _status(error: BaseException) -> int:
    if isinstance(error, SanicException):
        return error.status_code
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _is_expected(error: BaseException) -> bool:
    if isinstance(error, SanicException):
        return error.status_code < 500 or isinstance(error, ServiceUnavailable)
    return any(isinstance(error, kind) for kind, _ in _STATUS)


def _message(error: BaseException, request_id: str) -> str:
    if isinstance(error, CancelledError):
        return "the client closed the request"
    if not _is_expected(error):
        return f"internal error; the server's log has it under request id {request_id}"
    return str(error)


def _headers(error: BaseException) -> dict[str, str]:
    if isinstance(error, EngineOverloaded):
        return {"Retry-After": str(max(1, round(error.retry_after)))}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, SanicException):
        return {name: str(value) for name, value in (error.headers or {}).items()}
    return {}
