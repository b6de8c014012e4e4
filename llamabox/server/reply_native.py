"""JSON bodies of ``/completion``, llama-server's own dialect."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import orjson

from ..api import Chunk, Completion, FinishReason, Prompt, SampledToken
from .reply_logprobs import native_probs
from .reply_usage import timings
from .schema import GenerationRequest
from .sse import HOLE, event, split_event

__all__ = ["NativeReply"]

STOP_TYPES = {
    FinishReason.EOG: "eos",
    FinishReason.STOP: "word",
    FinishReason.LENGTH: "limit",
    FinishReason.DEADLINE: "limit",
}


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
            "stop_type": STOP_TYPES[completion.finish_reason],
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
