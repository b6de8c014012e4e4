"""What the server remembers of one HTTP request: its id, its clock, its tokens, its log line."""

from __future__ import annotations

import dataclasses
import logging
import time
import uuid
from typing import Any, TypeAlias

from sanic import Request

__all__ = ["AnyRequest", "Trace", "trace_of"]

logger = logging.getLogger(__name__)

AnyRequest: TypeAlias = "Request[Any, Any]"
"""A request of whatever app."""

MAX_ID_LENGTH = 128


@dataclasses.dataclass(slots=True, kw_only=True)
class Trace:
    """One request, from its first look at the headers to its access-log line.

    :param id: the client's ``X-Request-ID``, or ours.
    :param accepted_at: wall clock in microseconds since 1970.
    :param started: monotonic clock in seconds.
    :param n_prompt: prompt tokens, once known.
    :param n_output: output tokens, once known.
    :param is_streamed: the reply is a stream, which calls `end` itself.
    :param unknown: fields of the body that nothing has read.
    """

    id: str
    accepted_at: int
    started: float
    n_prompt: int = 0
    n_output: int = 0
    is_streamed: bool = False
    unknown: tuple[str, ...] = ()

    def end(self, request: AnyRequest, status: int) -> None:
        """Count the request, and write its access-log line; probes are logged at debug level."""
        request.app.ctx.count(f"/{request.route.path}" if request.route else "none", status)
        is_probe = request.route is not None and getattr(request.route.ctx, "probe", False)
        logger.log(
            logging.DEBUG if is_probe else logging.INFO,
            "%s %s %d %.1f ms%s, id %s",
            request.method,
            request.path,
            status,
            (time.perf_counter() - self.started) * 1e3,
            f", {self.n_prompt}+{self.n_output} tokens" if self.n_prompt else "",
            self.id,
        )


def trace_of(request: AnyRequest) -> Trace:
    """The request's trace, made at the first call."""
    trace: Trace | None = getattr(request.ctx, "trace", None)
    if trace is None:
        trace = Trace(
            id=_clean(request.headers.get("x-request-id", "")) or uuid.uuid4().hex,
            accepted_at=time.time_ns() // 1000,
            started=time.perf_counter(),
        )
        request.ctx.trace = trace
    return trace


def _clean(request_id: str) -> str:
    """The id if it is short, visible ASCII, and so safe in a header and in a log; else nothing."""
    is_safe = 0 < len(request_id) <= MAX_ID_LENGTH and all("!" <= c <= "~" for c in request_id)
    return request_id if is_safe else ""
