"""Text completions: OpenAI's ``/v1/completions``, llama-server's ``/completion``, ``/infill``."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sanic import Blueprint, HTTPResponse

from ...api import Engine, Prompt
from ...errors import InvalidRequest
from ...params import GenerationParams
from ..generation import check_outputs, generate
from ..reply_native import NativeReply
from ..reply_text import TextReply
from ..schema import TextRequest, read_infill, read_text
from ..service import ServerRequest, Service

__all__ = ["blueprint"]

Read = Callable[[Mapping[str, Any], GenerationParams], TextRequest]
"""Of a body, with the default parameters."""


def blueprint() -> Blueprint:
    routes = Blueprint("completions")
    routes.add_route(openai, "/v1/completions", methods=["POST"], name="v1_completions")
    routes.add_route(native, "/completion", methods=["POST"], name="completion")
    routes.add_route(native, "/completions", methods=["POST"], name="completions")
    routes.add_route(infill, "/infill", methods=["POST"], name="infill")
    return routes


async def openai(request: ServerRequest) -> HTTPResponse | None:
    service = request.app.ctx
    asked = await _read(request, service, read_text)
    prompts = await _prepare(service.engine, asked, with_texts=asked.echo)
    make_reply = partial(TextReply, service.model_name, prompts, asked)
    return await generate(request, service.engine, prompts, asked, make_reply)


async def native(request: ServerRequest) -> HTTPResponse | None:
    return await _native(request, read_text)


async def infill(request: ServerRequest) -> HTTPResponse | None:
    try:
        return await _native(request, read_infill)
    except InvalidRequest as error:
        if error.param == "suffix":  # by its name in the other bodies
            error.param = "input_suffix"
        raise


async def _native(request: ServerRequest, read: Read) -> HTTPResponse | None:
    service = request.app.ctx
    asked = await _read(request, service, read)
    prompts = await _prepare(service.engine, asked, with_texts=True)
    make_reply = partial(NativeReply, service.model_name, prompts, asked)
    return await generate(request, service.engine, prompts, asked, make_reply)


async def _read(request: ServerRequest, service: Service, read: Read) -> TextRequest:
    defaults = service.config.defaults
    return await service.read(request.body, lambda body: read(body, defaults))


async def _prepare(engine: Engine, asked: TextRequest, *, with_texts: bool) -> list[Prompt]:
    """All prompts, if there are not too many.

    :param with_texts: those of token ids too.
    :raises InvalidRequest: there are, or one is wrong.
    """
    check_outputs(engine, len(asked.prompts), asked.choices)
    prepared = [await engine.prepare(asked.prompts[0])]
    for prompt in asked.prompts[1:]:
        await asyncio.sleep(0)  # Short ones are tokenized at once, and all of them take long.
        prepared.append(await engine.prepare(prompt))
    if not with_texts or all(prompt.text for prompt in prepared):
        return prepared
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, _with_texts, engine, prepared)


def _with_texts(engine: Engine, prompts: list[Prompt]) -> list[Prompt]:
    decode = engine.model.tokenizer.decode
    return [
        prompt if prompt.text else dataclasses.replace(prompt, text=decode(prompt.tokens))
        for prompt in prompts
    ]
