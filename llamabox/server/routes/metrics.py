"""``GET /metrics``: Prometheus text, read from the engine's counters at each scrape."""

from __future__ import annotations

from sanic import Blueprint, HTTPResponse

from ..errors import NotEnabled
from ..metrics import CONTENT_TYPE, render
from ..service import ServerRequest

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("metrics")
    routes.add_route(metrics, "/metrics", methods=["GET"], name="metrics", ctx_probe=True)
    return routes


async def metrics(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    if not service.config.metrics:
        raise NotEnabled("This server does not support metrics endpoint. Start it with --metrics")
    body = render(service.engine.stats(), service.http_counts)
    return HTTPResponse(body, headers={"Content-Type": CONTENT_TYPE})
