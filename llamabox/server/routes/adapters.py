"""``GET`` and ``POST /lora-adapters``: the LoRA adapters, and the scales of those who name none."""

from __future__ import annotations

import orjson
from sanic import Blueprint, HTTPResponse

from ...errors import InvalidRequest
from ..schema_adapters import read_adapters
from ..schema_fields import Fields
from ..service import ServerRequest

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("adapters")
    routes.add_route(adapters, "/lora-adapters", methods=["GET"], name="adapters")
    routes.add_route(set_scales, "/lora-adapters", methods=["POST"], name="set_adapters")
    return routes


async def adapters(request: ServerRequest) -> HTTPResponse:
    found = [
        {"id": adapter.id, "path": adapter.path, "scale": adapter.scale}
        for adapter in request.app.ctx.engine.adapters
    ]
    return _json(found)


async def set_scales(request: ServerRequest) -> HTTPResponse:
    """Requests that are there already keep their scales."""
    request.app.ctx.engine.adapters.set_scales(_scales(request.body))
    return _json({"success": True})


def _scales(body: bytes) -> dict[int, float]:
    """By adapter; those that are not named are off.

    :raises InvalidRequest: the body is no list of ``{"id", "scale"}``.
    """
    try:
        listed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the request body is not JSON: {error}") from None
    if not isinstance(listed, list):
        raise InvalidRequest("the request body must be an array of adapters")
    return dict(read_adapters(Fields({"lora": listed}))["lora"])


def _json(body: object) -> HTTPResponse:
    return HTTPResponse(orjson.dumps(body), content_type="application/json")
