"""JSON bodies of chat completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ..api import SampledToken
from .reply_logprobs import chat_logprobs
from .reply_openai import OpenAIReply
from .schema import GenerationRequest
from .sse import event

__all__ = ["ChatReply"]


class ChatReply(OpenAIReply):
    """``/v1/chat/completions``."""

    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def __init__(self, model: str, asked: GenerationRequest) -> None:
        super().__init__("chatcmpl", model, asked)

    def delta(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}}

    def last_delta(self) -> dict[str, Any]:
        return {"delta": {}}

    def answer(self, text: str, index: int) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        return chat_logprobs(tokens)

    def head(self) -> bytes:
        role = {"delta": {"role": "assistant", "content": ""}}
        chunks = [self._chunk(role, None, i) for i in range(self._n_choices)]
        return b"".join([event(orjson.dumps(chunk)) for chunk in chunks])
