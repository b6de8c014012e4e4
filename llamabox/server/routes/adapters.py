"""``GET`` and ``POST /lora-adapters``: the LoRA adapters, and the scales of those who name none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sanic import Blueprint, HTTPResponse

from ..json_body import json_array
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
    service = request.app.ctx
    service.engine.adapters.set_scales(await service.read(request.body, _scales, json_array))
    return _json({"success": True})


def _scales(listed: Sequence[Any]) -> dict[int, float]:
    """By adapter; those that are not named are off.

    :raises InvalidRequest: it is no list of ``{"id", "scale"}``.
    """
    return dict(read_adapters(Fields({"lora": listed}))["lora"])


def _json(body: object) -> HTTPResponse:
    return HTTPResponse(orjson.dumps(body), content_type="application/json")
