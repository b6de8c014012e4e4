"""``POST /v1/chat/completions``."""

from __future__ import annotations

from functools import partial

from sanic import Blueprint, HTTPResponse

from ...errors import PromptTooLong
from ..chat_prompt import conversation_of
from ..generation import generate
from ..reply_chat import ChatReply
from ..schema import read_chat
from ..service import ServerRequest

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("chat")
    routes.add_route(chat, "/v1/chat/completions", methods=["POST"], name="v1_chat")
    routes.add_route(chat, "/chat/completions", methods=["POST"], name="chat")
    return routes


async def chat(request: ServerRequest) -> HTTPResponse | None:
    service = request.app.ctx
    engine = service.engine
    config = service.config
    parse = partial(read_chat, defaults=config.defaults, reasoning=config.reasoning)
    asked = await service.read(request.body, parse)
    try:
        prompt = await engine.prepare(conversation_of(asked, service.config))
    except PromptTooLong as error:
        error.param = "messages"
        raise
    make_reply = partial(ChatReply, service.model_name, asked, asked.tools)
    return await generate(request, engine, [prompt], asked, make_reply)
