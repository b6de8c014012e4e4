"""``GET /v1/models``: the one model, with llama-box's ``meta``."""

from __future__ import annotations

from typing import Any

import orjson
from sanic import Blueprint, HTTPResponse

from ...api import Engine
from ...params import GenerationParams
from ..service import ServerRequest

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("models")
    routes.add_route(models, "/v1/models", methods=["GET"], name="v1_models")
    routes.add_route(models, "/models", methods=["GET"], name="models")
    return routes


async def models(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    model = {
        "id": service.model_name,
        "object": "model",
        "created": service.loaded_at,
        "owned_by": "llamabox",
        "meta": _meta(service.engine, service.config.defaults),
    }
    body = orjson.dumps({"object": "list", "data": [model]})
    return HTTPResponse(body, content_type="application/json")


def _meta(engine: Engine, defaults: GenerationParams) -> dict[str, Any]:
    """What the model is and what it is served with; ``size`` in bytes, ``n_slot_ctx`` in tokens."""
    model = engine.model
    return {
        "vocab_type": model.vocab_type,
        "n_vocab": model.n_vocab,
        "n_ctx_train": model.n_ctx_train,
        "n_embd": model.n_embd,
        "n_params": model.n_params,
        "size": model.size,
        "n_ctx": engine.n_ctx,
        "n_slot": engine.params.n_parallel,
        "n_slot_ctx": engine.n_ctx,
        "kv_layout": engine.layout.kv_layout,
        "flash_attention": engine.layout.flash_attention,
        "tokens_per_second": engine.tokens_per_second,
        "seed": defaults.seed,
        "temperature": defaults.temperature,
        "top_k": defaults.top_k,
        "top_p": defaults.top_p,
        "min_p": defaults.min_p,
        "repeat_last_n": defaults.repeat_last_n,
        "repeat_penalty": defaults.repeat_penalty,
        "presence_penalty": defaults.presence_penalty,
        "frequency_penalty": defaults.frequency_penalty,
        "support_vision": False,
        "support_audio": False,
        "support_speculative": engine.drafts,
    }
