"""``POST /v1/completions`` in OpenAI's dialect and ``POST /completion`` in llama-server's."""

from __future__ import annotations

from functools import partial

from sanic import Blueprint, HTTPResponse

from ..generation import generate
from ..reply_native import NativeReply
from ..reply_text import TextReply
from ..schema import TextRequest, read_text
from ..service import ServerRequest, Service

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("completions")
    routes.add_route(openai, "/v1/completions", methods=["POST"], name="v1_completions")
    routes.add_route(native, "/completion", methods=["POST"], name="completion")
    return routes


async def openai(request: ServerRequest) -> HTTPResponse | None:
    service = request.app.ctx
    asked = await _read(request, service)
    prompt = await service.engine.prepare(asked.prompt)
    reply = TextReply(service.model_name, asked)
    return await generate(request, service.engine, prompt, asked, reply)


async def native(request: ServerRequest) -> HTTPResponse | None:
    service = request.app.ctx
    asked = await _read(request, service)
    prompt = await service.engine.prepare(asked.prompt)
    reply = NativeReply(service.model_name, prompt, asked)
    return await generate(request, service.engine, prompt, asked, reply)


async def _read(request: ServerRequest, service: Service) -> TextRequest:
    return await service.read(request.body, partial(read_text, defaults=service.config.defaults))
