"""What the replies of OpenAI's two dialects have in common.

The OpenAI specification is followed; ``timings`` is llama-server's.
"""

from __future__ import annotations

import abc
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from .._version import __version__
from ..api import AsyncStream, Chunk, Completion, FinishReason, Progress, SampledToken
from .reply_usage import prompt_progress, timings, usage
from .schema import GenerationRequest
from .sse import DONE, HOLE, event, fill, split_event

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
    :cvar empty_part: what `parts` would say of no text.
    """

    whole_object: str
    chunk_object: str
    empty_part: bytes

    def __init__(
        self, id_prefix: str, model: str, asked: GenerationRequest, n_prompts: int = 1
    ) -> None:
        self._include_usage = asked.include_usage
        self._n_prompts = n_prompts
        self._n_choices = n_prompts * asked.choices.n
        self._tells_tokens = asked.reply.return_tokens
        self._tells_timings = asked.reply.timings_per_token
        self._is_plain = not (
            asked.params.n_probs >= 0
            or asked.reply.return_progress
            or self._tells_tokens
            or self._tells_timings
        )
        self._outputs: Sequence[AsyncStream] = ()
        self._fields: dict[str, Any] = {
            "id": f"{id_prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": SYSTEM_FINGERPRINT,
        }
        logprobs = HOLE if asked.params.n_probs >= 0 else None
        self._frames = [self._frame(i, logprobs) for i in range(self._n_choices)]
        self._more_frames = [
            split_event(self._chunk(self.delta(HOLE), None, i)) for i in range(self._n_choices)
        ]

    def _frame(self, index: int, logprobs: str | None) -> list[bytes]:
        """A chunk with holes: text, and what is asked for of log probabilities, ids, timings."""
        chunk = self._chunk(self.delta(HOLE), None, index, logprobs)
        if self._tells_tokens:
            chunk["choices"][0]["tokens"] = HOLE
        return split_event(chunk | ({"timings": HOLE} if self._tells_timings else {}))

    @abc.abstractmethod
    def delta(self, part: Any) -> dict[str, Any]:
        """What holds a part in a stream's choice."""

    @abc.abstractmethod
    def parts(self, chunk: Chunk) -> list[bytes]:
        """What is said by a chunk's text, as JSON; each is a frame."""

    @abc.abstractmethod
    def last_delta(self) -> dict[str, Any]:
        """The same part in the last choice."""

    @abc.abstractmethod
    def answer(self, completion: Completion, index: int) -> dict[str, Any]:
        """The part of a whole reply's choice that holds the text."""

    @abc.abstractmethod
    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        """The log probabilities of a choice's next tokens."""

    def finish_reason(self, completion: Completion) -> str:
        """Why a choice ended."""
        return FINISH_REASONS[completion.finish_reason]

    def whole(
        self, choices: Sequence[Completion], generated: Sequence[Completion]
    ) -> dict[str, Any]:
        return {
            **self._fields,
            "object": self.whole_object,
            "choices": [self._choice(choice, i) for i, choice in enumerate(choices)],
            "usage": usage(generated, self._n_prompts),
            "timings": timings(generated, self._n_prompts),
        }

    def watch(self, outputs: Sequence[AsyncStream]) -> None:
        self._outputs = outputs

    def head(self) -> bytes:
        return b""

    def part(self, chunk: Chunk, index: int = 0) -> bytes:
        parts = self.parts(chunk)
        before, after = self._more_frames[index]
        if self._is_plain:
            return b"".join([before + part + after for part in parts])
        progress = b"" if chunk.progress is None else self._progress(chunk.progress, index)
        if not (parts or chunk.logprobs or (self._tells_tokens and chunk.n_tokens)):
            return progress
        first, *more = parts or [self.empty_part]
        frame = fill(self._frames[index], self._values(first, chunk, index))
        return progress + frame + b"".join([before + part + after for part in more])

    def _progress(self, progress: Progress, index: int) -> bytes:
        chunk = self._chunk(self.last_delta(), None, index)
        return event(orjson.dumps(chunk | {"prompt_progress": prompt_progress(progress)}))

    def _values(self, part: bytes, chunk: Chunk, index: int) -> Iterator[bytes]:
        """What a frame's holes are for."""
        yield part
        if chunk.logprobs is not None:
            yield orjson.dumps(self.logprobs(chunk.logprobs, index))
        if self._tells_tokens:
            yield orjson.dumps(chunk.tokens)
        if self._tells_timings:
            yield orjson.dumps(timings([self._outputs[index].counts]))

    def end(self, completion: Completion, index: int) -> bytes:
        return event(orjson.dumps(self._last_chunk(completion, index)))

    def tail(self, completions: Sequence[Completion], index: int = 0) -> bytes:
        last = self._last_chunk(completions[index], index)
        if not self._include_usage:
            last["timings"] = timings(completions, self._n_prompts)
            return event(orjson.dumps(last)) + DONE
        summary = self._chunk({}, None) | {
            "choices": [],
            "usage": usage(completions, self._n_prompts),
            "timings": timings(completions, self._n_prompts),
        }
        return event(orjson.dumps(last)) + event(orjson.dumps(summary)) + DONE

    def _choice(self, completion: Completion, index: int) -> dict[str, Any]:
        tokens = completion.logprobs
        choice = {
            "index": index,
            **self.answer(completion, index),
            "logprobs": None if tokens is None else self.logprobs(tokens, index),
            "finish_reason": self.finish_reason(completion),
        }
        return choice | {"tokens": completion.tokens} if self._tells_tokens else choice

    def _last_chunk(self, completion: Completion, index: int) -> dict[str, Any]:
        return self._chunk(self.last_delta(), self.finish_reason(completion), index)

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
