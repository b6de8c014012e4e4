"""``POST /tokenize`` and ``POST /detokenize``, as llama-server and llama-box have them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from sanic import Blueprint, HTTPResponse

from ...api import Tokenizer, piece_tokens
from ...errors import InvalidRequest
from ..schema_tokens import Detokenize, Tokenize, read_detokenize, read_tokenize
from ..service import ServerRequest
from ..trace import trace_of

__all__ = ["blueprint"]


def blueprint() -> Blueprint:
    routes = Blueprint("tokens")
    routes.add_route(tokenize, "/tokenize", methods=["POST"], name="tokenize")
    routes.add_route(detokenize, "/detokenize", methods=["POST"], name="detokenize")
    return routes


async def tokenize(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    asked = await service.read(request.body, read_tokenize)
    trace_of(request).unknown = asked.unknown
    tokenizer = service.engine.model.tokenizer
    loop = asyncio.get_running_loop()
    try:
        tokens = await loop.run_in_executor(None, _tokens, tokenizer, asked)
    except InvalidRequest as error:
        error.param = "content"
        raise
    body = orjson.dumps({"model": service.model_name, "tokens": tokens})
    return HTTPResponse(body, content_type="application/json")


async def detokenize(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    asked = await service.read(request.body, read_detokenize)
    trace_of(request).unknown = asked.unknown
    tokenizer = service.engine.model.tokenizer
    loop = asyncio.get_running_loop()
    try:
        content = await loop.run_in_executor(None, _content, tokenizer, asked)
    except InvalidRequest as error:
        error.param = "tokens"
        raise
    body = orjson.dumps({"model": service.model_name, "content": content})
    return HTTPResponse(body, content_type="application/json")


def _tokens(tokenizer: Tokenizer, asked: Tokenize) -> list[Any]:
    """Ids, or objects with the text of each; bytes that are no text are numbers."""
    ids: list[int] = piece_tokens(
        asked.content,
        tokenizer,
        add_special=asked.add_special,
        parse_special=asked.parse_special,
    ).tolist()
    if not asked.with_pieces:
        return ids
    return [{"id": token, "piece": _piece(tokenizer.piece(token))} for token in ids]


def _piece(piece: bytes) -> str | list[int]:
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return list(piece)


def _content(tokenizer: Tokenizer, asked: Detokenize) -> str:
    ids = tokenizer.check(asked.tokens).tolist()
    return b"".join([tokenizer.piece(token) for token in ids]).decode("utf-8", "replace")
