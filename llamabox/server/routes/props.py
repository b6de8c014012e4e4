"""``GET /props``: what the server is and what it serves, as llama-server tells it."""

from __future__ import annotations

from typing import Any

import orjson
from sanic import Blueprint, HTTPResponse

from ..._version import __version__
from ...api import Engine
from ..reply_settings import generation_settings
from ..schema import read_text
from ..service import ServerRequest

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("props")
    routes.add_route(props, "/props", methods=["GET"])
    return routes


async def props(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    engine = service.engine
    # What a request gets that says nothing.
    silent = read_text({"prompt": ""}, service.config.defaults)
    body = _template(engine) | {
        "default_generation_settings": {
            "params": generation_settings(silent),
            "n_ctx": engine.n_ctx,
        },
        "total_slots": engine.params.n_parallel,
        "model_alias": service.model_name,
        "model_path": str(engine.model.path),
        "modalities": {"vision": False, "video": False, "audio": False},
        "endpoint_slots": False,
        "endpoint_props": False,
        "endpoint_metrics": service.config.metrics,
        "bos_token": engine.model.tokenizer.bos,
        "eos_token": engine.model.tokenizer.eos,
        "build_info": f"llamabox {__version__}",
        "is_sleeping": False,
    }
    return HTTPResponse(orjson.dumps(body), content_type="application/json")


def _template(engine: Engine) -> dict[str, Any]:
    template = engine.template
    can = template.capabilities
    described: dict[str, Any] = {
        "chat_template": template.source,
        "chat_template_caps": {
            "supports_string_content": can.string_content,
            "supports_typed_content": can.typed_content,
            "supports_tools": can.tools,
            "supports_tool_calls": can.tool_calls,
            "supports_parallel_tool_calls": can.parallel_calls,
            "supports_object_arguments": can.object_arguments,
            "supports_system_role": can.system,
            "supports_preserve_reasoning": can.old_reasoning,
        },
    }
    if template.tool_use is not None:
        described["chat_template_tool_use"] = template.tool_use
    return described
