"""JSON bodies of OpenAI's text completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ..api import Chunk, Completion, Prompt, SampledToken
from .reply_logprobs import TextLogprobs
from .reply_openai import OpenAIReply
from .schema import TextRequest
from .sse import event

__all__ = ["TextReply"]


class TextReply(OpenAIReply):
    """``/v1/completions``.

    :param prompts: what the choices are of, as many of each; with their texts if they are echoed.
    """

    whole_object = "text_completion"
    chunk_object = "text_completion"
    empty_part = b'""'

    def __init__(self, model: str, prompts: Sequence[Prompt], asked: TextRequest) -> None:
        super().__init__("cmpl", model, asked, len(prompts))
        self._logprobs = [TextLogprobs() for _ in range(self._n_choices)]
        n = asked.choices.n
        self._echoed = [prompts[i // n].text for i in range(self._n_choices)] if asked.echo else []

    def delta(self, part: Any) -> dict[str, Any]:
        return {"text": part}

    def parts(self, chunk: Chunk) -> list[bytes]:
        return [orjson.dumps(chunk.text)] if chunk.text else []

    def last_delta(self) -> dict[str, Any]:
        return {"text": ""}

    def answer(self, completion: Completion, index: int) -> dict[str, Any]:
        text = completion.text
        return {"text": self._echoed[index] + text if self._echoed else text}

    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        return self._logprobs[index].of(tokens)

    def head(self) -> bytes:
        """The echoed prompts."""
        chunks = [self._chunk(self.delta(text), None, i) for i, text in enumerate(self._echoed)]
        return b"".join([event(orjson.dumps(chunk)) for chunk in chunks])
