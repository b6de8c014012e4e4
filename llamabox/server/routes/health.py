"""``GET /health``: open to everybody, also while the model is loaded."""

from __future__ import annotations

import orjson
from sanic import Blueprint, HTTPResponse

from ..service import ServerRequest

__all__ = ["blueprint"]

_OK = orjson.dumps({"status": "ok"})


def blueprint() -> Blueprint:
    routes = Blueprint("health")
    for name, uri in (("health", "/health"), ("v1_health", "/v1/health")):
        routes.add_route(
            health, uri, methods=["GET", "HEAD"], name=name, ctx_public=True, ctx_probe=True
        )
    return routes


async def health(request: ServerRequest) -> HTTPResponse:
    request.app.ctx.check_ready()
    return HTTPResponse(_OK, content_type="application/json")
