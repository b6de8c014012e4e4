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
    app.register_middleware(_enter, "request")
    app.register_middleware(_leave, "response")
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


async def _enter(request: ServerRequest) -> HTTPResponse | None:
    """What every request passes through; the answer to one that asks for no more.

    :raises Unauthorized: keys are configured and the request has none of them.
    :raises NotReady: there is no engine to answer with.
    """
    trace_of(request)
    _prepare_connection(request)
    if request.method == "OPTIONS":
        return preflight(request)
    if request.route is None or not getattr(request.route.ctx, "public", False):
        keys = request.app.ctx.config.api_keys
        if keys and not is_accepted(request, keys):
            raise Unauthorized("Invalid API Key")
        request.app.ctx.check_ready()
    return None


def _prepare_connection(request: ServerRequest) -> None:
    # Sanic has one limit for a connection's first request and for its next.
    protocol = cast(HttpProtocol, request.protocol)
    protocol.keep_alive_timeout = request.app.ctx.config.conn_keepalive
    # Sanic leaves the socket unread after a large body, and then would not see the client go.
    transport = cast(asyncio.Transport | None, request.transport)
    if transport is not None and not transport.is_closing():
        transport.resume_reading()


async def _leave(request: ServerRequest, response: BaseHTTPResponse) -> None:
    trace = trace_of(request)
    response.headers["X-Request-ID"] = trace.id
    response.headers["X-Request-Accepted-At"] = str(trace.accepted_at)
    if trace.unknown:
        response.headers[WARNING_HEADER] = warning(trace.unknown)
    allow_origin(request, response)
    if not trace.is_streamed:
        trace.end(request, response.status)
