"""JSON bodies of finished and running generations, in each dialect.

The OpenAI specification is followed on its routes; ``timings`` is llama-server's.
"""

from __future__ import annotations

import abc
import dataclasses
import time
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from .._version import __version__
from ..api import Chunk, Completion, FinishReason, Prompt, SampledToken
from .reply_logprobs import TextLogprobs, chat_logprobs, native_probs
from .reply_usage import timings, usage
from .schema import GenerationRequest
from .sse import DONE, HOLE, event, split_event

__all__ = ["ChatReply", "NativeReply", "Reply", "TextReply"]

SYSTEM_FINGERPRINT = f"llamabox-{__version__}"

_OPENAI_REASONS = {
    FinishReason.EOG: "stop",
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.DEADLINE: "length",
}
_NATIVE_REASONS = {
    FinishReason.EOG: "eos",
    FinishReason.STOP: "word",
    FinishReason.LENGTH: "limit",
    FinishReason.DEADLINE: "limit",
}


class Reply(Protocol):
    """How one dialect says the choices of a generation, whole or as events."""

    def whole(self, choices: Sequence[Completion], generated: Sequence[Completion]) -> Any:
        """The body of a reply that is not streamed.

        :param generated: all that was generated, in its order; what `choices` are chosen from.
        """

    def head(self) -> bytes:
        """Events before the first text."""

    def part(self, chunk: Chunk, index: int = 0) -> bytes:
        """The event of some text of a choice; nothing if there is none."""

    def end(self, completion: Completion, index: int) -> bytes:
        """The event after the last text of a choice that others outlast."""

    def tail(self, completions: Sequence[Completion], index: int = 0) -> bytes:
        """The events after the last text of all; `index` is the choice that ended last."""


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
            "finish_reason": _OPENAI_REASONS[completion.finish_reason],
        }

    def _last_chunk(self, completion: Completion, index: int) -> dict[str, Any]:
        reason = _OPENAI_REASONS[completion.finish_reason]
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

    def answer(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def logprobs(self, tokens: Sequence[SampledToken], index: int) -> dict[str, Any]:
        return chat_logprobs(tokens)

    def head(self) -> bytes:
        role = {"delta": {"role": "assistant", "content": ""}}
        chunks = [self._chunk(role, None, i) for i in range(self._n_choices)]
        return b"".join([event(orjson.dumps(chunk)) for chunk in chunks])


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


class NativeReply:
    """``/completion``, llama-server's own dialect; its streams have no ``[DONE]``."""

    def __init__(self, model: str, prompt: Prompt, asked: GenerationRequest) -> None:
        self._model = model
        self._prompt = prompt
        self._asked = asked
        self._post_sampling = asked.params.post_sampling_probs
        self._n_output = [0] * asked.choices.n
        self._frames = [self._frame(i) for i in range(asked.choices.n)]

    def _frame(self, index: int) -> list[bytes]:
        part = {
            "index": index,
            "content": HOLE,
            "tokens": [],
            "stop": False,
            "id_slot": -1,
            "tokens_predicted": HOLE,
            "tokens_evaluated": self._prompt.n_tokens,
        }
        if self._asked.params.n_probs >= 0:
            part["completion_probabilities"] = HOLE
        return split_event(part)

    def whole(self, choices: Sequence[Completion], generated: Sequence[Completion]) -> Any:
        """An object, or an array of them if several choices are asked for."""
        bodies = [self._body(choice, i) for i, choice in enumerate(choices)]
        for body, choice in zip(bodies, choices, strict=True):
            if choice.logprobs is not None:
                body["completion_probabilities"] = self._probs(choice.logprobs)
        return bodies if len(bodies) > 1 else bodies[0]

    def _body(self, completion: Completion, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "content": completion.text,
            "tokens": [],
            "id_slot": -1,
            "stop": True,
            "model": self._model,
            "tokens_predicted": completion.n_output,
            "tokens_evaluated": completion.n_prompt,
            "generation_settings": self._settings(),
            "prompt": self._prompt.text,
            "has_new_line": "\n" in completion.text,
            "truncated": completion.truncated,
            "stop_type": _NATIVE_REASONS[completion.finish_reason],
            "stopping_word": completion.stop_string or "",
            "tokens_cached": completion.n_cached,
            "timings": timings(completion),
        }

    def head(self) -> bytes:
        return b""

    def part(self, chunk: Chunk, index: int = 0) -> bytes:
        self._n_output[index] += chunk.n_tokens
        if not chunk.text and not chunk.logprobs:
            return b""
        before, between, *after = self._frames[index]
        frame = before + orjson.dumps(chunk.text) + between + b"%d" % self._n_output[index]
        if chunk.logprobs is None:
            return frame + after[0]
        return frame + after[0] + orjson.dumps(self._probs(chunk.logprobs)) + after[1]

    def end(self, completion: Completion, index: int) -> bytes:
        return event(orjson.dumps(self._body(completion, index) | {"content": ""}))

    def tail(self, completions: Sequence[Completion], index: int = 0) -> bytes:
        return self.end(completions[index], index)

    def _probs(self, tokens: Sequence[SampledToken]) -> list[dict[str, Any]]:
        return native_probs(tokens, post_sampling=self._post_sampling)

    def _settings(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self._asked.params)
        return settings | {
            "max_tokens": settings["n_predict"],
            "n_probs": max(0, settings["n_probs"]),
            "stream": self._asked.stream,
        }
