"""The Sanic app: routes, what every request passes through, and the engine's start and end."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import cast

from sanic import HTTPResponse, Sanic
from sanic.config import Config
from sanic.response import BaseHTTPResponse
from sanic.server.protocols.http_protocol import HttpProtocol

from .api_keys import is_accepted
from .config import ServerConfig
from .cors import allow_origin, preflight
from .errors import JsonErrorHandler, Unauthorized
from .http_edges import AnsweredRequest
from .routes import blueprints
from .schema_unknown import warning
from .service import ServerApp, ServerRequest, Service
from .trace import trace_of

__all__ = ["create_app"]

WARNING_HEADER = "X-Llamabox-Warning"


def create_app(config: ServerConfig, service: Service | None = None) -> ServerApp:
    """An app of its own; several can live in one process.

    The model is loaded when the server starts, in the background: until it is there, everything
    is answered with 503.

    :param service: what ``app.ctx`` becomes; by default a service of ``config``.
    """
    app: ServerApp = Sanic(
        f"llamabox-{uuid.uuid4().hex}",
        config=_sanic_config(config),
        ctx=service or Service(config),
        request_class=AnsweredRequest,
        error_handler=JsonErrorHandler(),
        configure_logging=False,
    )
    app.blueprint(blueprints())
    for step in (_begin, _answer_preflight, _authorize, _require_engine):
        app.register_middleware(step, "request")
    app.register_middleware(_finish, "response")
    app.before_server_start(_start_service)
    return app


def _sanic_config(config: ServerConfig) -> Config:
    limit = config.timeout or math.inf
    settings: dict[str, str | bool | int | float | None] = {
        "ACCESS_LOG": False,
        "AUTO_EXTEND": False,
        "KEEP_ALIVE_TIMEOUT": config.conn_idle,
        "MOTD": False,
        "REQUEST_MAX_SIZE": config.max_body,
        "REQUEST_TIMEOUT": limit,
        "RESPONSE_TIMEOUT": limit,
        # Sanic rewrites its protocol classes at the first start, and can do it only once.
        "TOUCHUP": not getattr(HttpProtocol, "__touched__", False),
    }
    return Config(settings, env_prefix="")


async def _start_service(app: ServerApp) -> None:
    app.ctx.start()


async def _begin(request: ServerRequest) -> None:
    trace_of(request)
    # Sanic has one limit for a connection's first request and for its next.
    protocol = cast(HttpProtocol, request.protocol)
    protocol.keep_alive_timeout = request.app.ctx.config.conn_keepalive
    # Sanic leaves the socket unread after a large body, and then would not see the client go.
    transport = cast(asyncio.Transport | None, request.transport)
    if transport is not None and not transport.is_closing():
        transport.resume_reading()


async def _answer_preflight(request: ServerRequest) -> HTTPResponse | None:
    return preflight(request) if request.method == "OPTIONS" else None


async def _authorize(request: ServerRequest) -> None:
    """:raises Unauthorized: keys are configured and the request has none of them."""
    keys = request.app.ctx.config.api_keys
    if keys and not _is_public(request) and not is_accepted(request, keys):
        raise Unauthorized("Invalid API Key")


async def _require_engine(request: ServerRequest) -> None:
    """:raises NotReady: there is no engine to answer with."""
    if not _is_public(request):
        request.app.ctx.check_ready()


async def _finish(request: ServerRequest, response: BaseHTTPResponse) -> None:
    trace = trace_of(request)
    response.headers["X-Request-ID"] = trace.id
    response.headers["X-Request-Accepted-At"] = str(trace.accepted_at)
    if trace.unknown:
        response.headers[WARNING_HEADER] = warning(trace.unknown)
    allow_origin(request, response)
    route = f"/{request.route.path}" if request.route else "none"
    request.app.ctx.count(route, response.status)
    if not trace.is_streamed:
        trace.log(request, response.status)


def _is_public(request: ServerRequest) -> bool:
    return request.route is not None and getattr(request.route.ctx, "public", False)
