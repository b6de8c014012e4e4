"""JSON bodies of finished and running generations, in each dialect.

The OpenAI specification is followed on its routes; ``timings`` is llama-server's, the speeds in
``usage`` are llama-box's.
"""

from __future__ import annotations

import abc
import dataclasses
import time
import uuid
from typing import Any, Protocol

import orjson

from .._version import __version__
from ..api import Chunk, Completion, FinishReason, Prompt
from .schema import GenerationRequest
from .sse import DONE, HOLE, event, split_event

__all__ = ["ChatReply", "NativeReply", "Reply", "TextReply", "timings", "usage"]

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
    """How one dialect says a generation, whole or as events."""

    def whole(self, completion: Completion) -> dict[str, Any]:
        """The body of a reply that is not streamed."""

    def head(self) -> bytes:
        """Events before the first text."""

    def part(self, chunk: Chunk) -> bytes:
        """The event of some text; nothing if there is none."""

    def tail(self, completion: Completion) -> bytes:
        """Events after the last text."""


class OpenAIReply(abc.ABC):
    """What chat and text completions have in common.

    :param id_prefix: first part of the reply's id.
    :param include_usage: stream the usage as a last chunk, as ``stream_options`` asks.
    """

    whole_object: str
    chunk_object: str

    def __init__(self, id_prefix: str, model: str, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._fields: dict[str, Any] = {
            "id": f"{id_prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": SYSTEM_FINGERPRINT,
        }
        self._before, self._after = split_event(self._chunk(self.delta(HOLE), None))

    @abc.abstractmethod
    def delta(self, text: str) -> dict[str, Any]:
        """The part of a stream's choice that holds text."""

    @abc.abstractmethod
    def last_delta(self) -> dict[str, Any]:
        """The same part in the last choice."""

    @abc.abstractmethod
    def answer(self, text: str) -> dict[str, Any]:
        """The part of a whole reply's choice that holds the text."""

    def whole(self, completion: Completion) -> dict[str, Any]:
        choice = {
            "index": 0,
            **self.answer(completion.text),
            "logprobs": None,
            "finish_reason": _OPENAI_REASONS[completion.finish_reason],
        }
        return {
            **self._fields,
            "object": self.whole_object,
            "choices": [choice],
            "usage": usage(completion),
            "timings": timings(completion),
        }

    def head(self) -> bytes:
        return b""

    def part(self, chunk: Chunk) -> bytes:
        if not chunk.text:
            return b""
        return self._before + orjson.dumps(chunk.text) + self._after

    def tail(self, completion: Completion) -> bytes:
        reason = _OPENAI_REASONS[completion.finish_reason]
        last = self._chunk(self.last_delta(), reason)
        if not self._include_usage:
            last["timings"] = timings(completion)
            return event(orjson.dumps(last)) + DONE
        summary = self._chunk({}, None) | {
            "choices": [],
            "usage": usage(completion),
            "timings": timings(completion),
        }
        return event(orjson.dumps(last)) + event(orjson.dumps(summary)) + DONE

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, **delta, "logprobs": None, "finish_reason": reason}
        chunk = {**self._fields, "object": self.chunk_object, "choices": [choice]}
        return chunk | {"usage": None} if self._include_usage else chunk


class ChatReply(OpenAIReply):
    """``/v1/chat/completions``."""

    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def __init__(self, model: str, *, include_usage: bool) -> None:
        super().__init__("chatcmpl", model, include_usage)

    def delta(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}}

    def last_delta(self) -> dict[str, Any]:
        return {"delta": {}}

    def answer(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def head(self) -> bytes:
        role = {"delta": {"role": "assistant", "content": ""}}
        return event(orjson.dumps(self._chunk(role, None)))


class TextReply(OpenAIReply):
    """``/v1/completions``."""

    whole_object = "text_completion"
    chunk_object = "text_completion"

    def __init__(self, model: str, *, include_usage: bool) -> None:
        super().__init__("cmpl", model, include_usage)

    def delta(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def last_delta(self) -> dict[str, Any]:
        return {"text": ""}

    def answer(self, text: str) -> dict[str, Any]:
        return {"text": text}


class NativeReply:
    """``/completion``, llama-server's own dialect; its streams have no ``[DONE]``."""

    def __init__(self, model: str, prompt: Prompt, asked: GenerationRequest) -> None:
        self._model = model
        self._prompt = prompt
        self._asked = asked
        self._n_output = 0
        self._pieces = split_event(
            {
                "index": 0,
                "content": HOLE,
                "tokens": [],
                "stop": False,
                "id_slot": -1,
                "tokens_predicted": HOLE,
                "tokens_evaluated": prompt.n_tokens,
            }
        )

    def whole(self, completion: Completion) -> dict[str, Any]:
        return {
            "index": 0,
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

    def part(self, chunk: Chunk) -> bytes:
        self._n_output += chunk.n_tokens
        if not chunk.text:
            return b""
        before, between, after = self._pieces
        return before + orjson.dumps(chunk.text) + between + b"%d" % self._n_output + after

    def tail(self, completion: Completion) -> bytes:
        return event(orjson.dumps(self.whole(completion) | {"content": ""}))

    def _settings(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self._asked.params)
        return settings | {"max_tokens": settings["n_predict"], "stream": self._asked.stream}


def usage(completion: Completion) -> dict[str, Any]:
    """OpenAI's token counts with llama-box's speeds beside them."""
    times = timings(completion)
    return {
        "prompt_tokens": completion.n_prompt,
        "completion_tokens": completion.n_output,
        "total_tokens": completion.n_prompt + completion.n_output,
        "prompt_tokens_details": {"cached_tokens": completion.n_cached},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "queue_time_ms": completion.timings.queue * 1e3,
        "time_to_first_token_ms": completion.timings.first_token * 1e3,
        "time_per_output_token_ms": times["predicted_per_token_ms"],
        "prompt_tokens_per_second": times["prompt_per_second"],
        "tokens_per_second": times["predicted_per_second"],
        "draft_tokens": 0,
        "draft_tokens_acceptance": 0.0,
    }


def timings(completion: Completion) -> dict[str, Any]:
    """llama-server's ``timings``: milliseconds, and rates that are 0 where nothing was timed.

    The first output token is part of the prompt's time, so one token has no decode rate.
    """
    prompt_n = completion.n_prompt - completion.n_cached
    prompt_ms = completion.timings.prefill * 1e3
    predicted_ms = completion.timings.decode * 1e3
    n_steps = completion.n_output - 1
    return {
        "cache_n": completion.n_cached,
        "prompt_n": prompt_n,
        "prompt_ms": prompt_ms,
        "prompt_per_token_ms": _ratio(prompt_ms, prompt_n),
        "prompt_per_second": _ratio(1e3 * prompt_n, prompt_ms),
        "predicted_n": completion.n_output,
        "predicted_ms": predicted_ms,
        "predicted_per_token_ms": _ratio(predicted_ms, n_steps),
        "predicted_per_second": _ratio(1e3 * n_steps, predicted_ms),
    }


def _ratio(value: float, by: float) -> float:
    return value / by if value > 0 and by > 0 else 0.0
