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

SLICE = 10_000
"""Tokens that are rendered at a time: between two slices other threads get the GIL."""


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
        body = await loop.run_in_executor(None, _tokens, tokenizer, asked, service.model_name)
    except InvalidRequest as error:
        error.param = "content"
        raise
    return HTTPResponse(body, content_type="application/json")


async def detokenize(request: ServerRequest) -> HTTPResponse:
    service = request.app.ctx
    asked = await service.read(request.body, read_detokenize)
    trace_of(request).unknown = asked.unknown
    tokenizer = service.engine.model.tokenizer
    loop = asyncio.get_running_loop()
    try:
        body = await loop.run_in_executor(None, _content, tokenizer, asked, service.model_name)
    except InvalidRequest as error:
        error.param = "tokens"
        raise
    return HTTPResponse(body, content_type="application/json")


def _tokens(tokenizer: Tokenizer, asked: Tokenize, model: str) -> bytes:
    """The body with ids, or with objects that have the text of each too."""
    ids = piece_tokens(
        asked.content,
        tokenizer,
        add_special=asked.add_special,
        parse_special=asked.parse_special,
    )
    parts = []
    for start in range(0, len(ids), SLICE):
        tokens: list[Any] = ids[start : start + SLICE].tolist()
        if asked.with_pieces:
            tokens = [{"id": token, "piece": _piece(tokenizer.piece(token))} for token in tokens]
        parts.append(orjson.dumps(tokens)[1:-1])
    return b'{"model":%b,"tokens":[%b]}' % (orjson.dumps(model), b",".join(parts))


def _piece(piece: bytes) -> str | list[int]:
    """As text; bytes that are none are numbers."""
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return list(piece)


def _content(tokenizer: Tokenizer, asked: Detokenize, model: str) -> bytes:
    """The body with the text."""
    ids = tokenizer.check(asked.tokens).tolist()
    content = b"".join([tokenizer.piece(token) for token in ids]).decode("utf-8", "replace")
    return orjson.dumps({"model": model, "content": content})
