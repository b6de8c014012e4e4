"""What the replies of OpenAI's two dialects have in common.

The OpenAI specification is followed; ``timings`` is llama-server's.
"""

from __future__ import annotations

import abc
import time
import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from .._version import __version__
from ..api import Chunk, Completion, FinishReason, SampledToken
from .reply_usage import timings, usage
from .schema import GenerationRequest
from .sse import DONE, HOLE, event, split_event

__all__ = ["OpenAIReply"]

SYSTEM_FINGERPRINT = f"llamabox-{__version__}"

FINISH_REASONS = {
    FinishReason.EOG: "stop",
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.DEADLINE: "length",
}


class OpenAIReply(abc.ABC):
    """What chat and text completions have in common.

    :param id_prefix: first part of the reply's id.
    """

    whole_object: str
    chunk_object: str

    def __init__(self, id_prefix: str, model: str, asked: GenerationRequest) -> None:
        self._include_usage = asked.include_usage
        self._n_choices = asked.choices.n
        self._fields: dict[str, Any] = {
            "id": f"{id_prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": SYSTEM_FINGERPRINT,
        }
        logprobs = HOLE if asked.params.n_probs >= 0 else None
        self._frames = [
            split_event(self._chunk(self.delta(HOLE), None, i, logprobs))
            for i in range(self._n_choices)
        ]

    @abc.abstractmethod
    def delta(self, text: str) -> dict[str, Any]:
        """The part of a stream's choice that holds text."""

    @abc.abstractmethod
    def last_delta(self) -> dict[str, Any]:
        """The same part in the last choice."""

    @abc.abstractmethod
    def answer(self, text: str) -> dict[str, Any]:
        """The part of a whole reply's choice that holds the text."""

    @abc.abstractmethod
    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        """The log probabilities of a choice's next tokens."""

    def whole(
        self, choices: Sequence[Completion], generated: Sequence[Completion]
    ) -> dict[str, Any]:
        return {
            **self._fields,
            "object": self.whole_object,
            "choices": [self._choice(choice, i) for i, choice in enumerate(choices)],
            "usage": usage(*generated),
            "timings": timings(*generated),
        }

    def head(self) -> bytes:
        return b""

    def part(self, chunk: Chunk, index: int = 0) -> bytes:
        if not chunk.text and not chunk.logprobs:
            return b""
        if chunk.logprobs is None:
            before, after = self._frames[index]
            return before + orjson.dumps(chunk.text) + after
        before, between, after = self._frames[index]
        logprobs = orjson.dumps(self.logprobs(chunk.logprobs, index))
        return before + orjson.dumps(chunk.text) + between + logprobs + after

    def end(self, completion: Completion, index: int) -> bytes:
        return event(orjson.dumps(self._last_chunk(completion, index)))

    def tail(self, completions: Sequence[Completion], index: int = 0) -> bytes:
        last = self._last_chunk(completions[index], index)
        if not self._include_usage:
            last["timings"] = timings(*completions)
            return event(orjson.dumps(last)) + DONE
        summary = self._chunk({}, None) | {
            "choices": [],
            "usage": usage(*completions),
            "timings": timings(*completions),
        }
        return event(orjson.dumps(last)) + event(orjson.dumps(summary)) + DONE

    def _choice(self, completion: Completion, index: int) -> dict[str, Any]:
        tokens = completion.logprobs
        return {
            "index": index,
            **self.answer(completion.text),
            "logprobs": None if tokens is None else self.logprobs(tokens, index),
            "finish_reason": FINISH_REASONS[completion.finish_reason],
        }

    def _last_chunk(self, completion: Completion, index: int) -> dict[str, Any]:
        reason = FINISH_REASONS[completion.finish_reason]
        return self._chunk(self.last_delta(), reason, index)

    def _chunk(
        self,
        delta: dict[str, Any],
        reason: str | None,
        index: int = 0,
        logprobs: str | None = None,
    ) -> dict[str, Any]:
        choice = {"index": index, **delta, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._fields, "object": self.chunk_object, "choices": [choice]}
        return chunk | {"usage": None} if self._include_usage else chunk
