"""JSON bodies of OpenAI's text completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..api import SampledToken
from .reply_logprobs import TextLogprobs
from .reply_openai import OpenAIReply
from .schema import GenerationRequest

__all__ = ["TextReply"]


class TextReply(OpenAIReply):
    """``/v1/completions``."""

    whole_object = "text_completion"
    chunk_object = "text_completion"

    def __init__(self, model: str, asked: GenerationRequest) -> None:
        super().__init__("cmpl", model, asked)
        self._logprobs = [TextLogprobs() for _ in range(self._n_choices)]

    def delta(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def last_delta(self) -> dict[str, Any]:
        return {"text": ""}

    def answer(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        return self._logprobs[index].of(tokens)
