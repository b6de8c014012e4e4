"""``POST /apply-template``: a chat's prompt as text; nothing is generated."""

from __future__ import annotations

import asyncio
from functools import partial

import orjson
from sanic import Blueprint, HTTPResponse

from ..chat_prompt import conversation_of
from ..schema import read_chat
from ..service import ServerRequest
from ..trace import trace_of

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("apply_template")
    routes.add_route(apply_template, "/apply-template", methods=["POST"])
    return routes


async def apply_template(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    config = service.config
    template = service.engine.template
    parse = partial(read_chat, defaults=config.defaults, reasoning=config.reasoning)
    asked = await service.read(request.body, parse)
    trace_of(request).unknown = asked.unknown
    conversation = conversation_of(asked, config)
    loop = asyncio.get_running_loop()
    prompt = await loop.run_in_executor(None, conversation.render, template)
    return HTTPResponse(orjson.dumps({"prompt": prompt}), content_type="application/json")
