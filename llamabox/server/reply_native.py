"""JSON bodies of ``/completion``, llama-server's own dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from ..api import AsyncStream, Chunk, Completion, FinishReason, Progress, Prompt, SampledToken
from .reply_fields import selected
from .reply_logprobs import native_probs
from .reply_settings import generation_settings
from .reply_usage import prompt_progress, timings
from .schema import TextRequest
from .sse import HOLE, event, fill, split_event

__all__ = ["NativeReply"]

STOP_TYPES = {
    FinishReason.EOG: "eos",
    FinishReason.STOP: "word",
    FinishReason.LENGTH: "limit",
    FinishReason.DEADLINE: "limit",
}


class NativeReply:
    """``/completion``, llama-server's own dialect; its streams have no ``[DONE]``.

    :param prompts: what the choices are of, as many of each; with their texts.
    """

    def __init__(self, model: str, prompts: Sequence[Prompt], asked: TextRequest) -> None:
        self._model = model
        self._asked = asked
        self._n_choices = len(prompts) * asked.choices.n
        self._prompts = [prompts[i // asked.choices.n] for i in range(self._n_choices)]
        self._settings = generation_settings(asked)
        self._post_sampling = asked.params.post_sampling_probs
        self._n_output = [0] * self._n_choices
        self._outputs: Sequence[AsyncStream] = ()
        self._frames = [split_event(self._part(HOLE, i)) for i in range(self._n_choices)]

    def _part(self, text: str, index: int) -> dict[str, Any]:
        """An event with holes: text, ids, the slot, how many tokens, and what else is asked for."""
        part = {
            "index": index,
            "content": text,
            "tokens": HOLE,
            "stop": False,
            "id_slot": HOLE,
            "tokens_predicted": HOLE,
            "tokens_evaluated": self._prompts[index].n_tokens,
        }
        if self._asked.reply.timings_per_token:
            part["timings"] = HOLE
        if self._asked.params.n_probs >= 0:
            part["completion_probabilities"] = HOLE
        return part

    def whole(self, choices: Sequence[Completion], generated: Sequence[Completion]) -> Any:
        """An object, or an array of them if there are several."""
        bodies = [self._body(choice, i) for i, choice in enumerate(choices)]
        for body, choice in zip(bodies, choices, strict=True):
            if self._asked.reply.return_tokens:
                body["tokens"] = choice.tokens
            if choice.logprobs is not None:
                body["completion_probabilities"] = self._probs(choice.logprobs)
        return bodies if len(bodies) > 1 else bodies[0]

    def _body(self, completion: Completion, index: int) -> dict[str, Any]:
        prompt = self._prompts[index].text
        return {
            "index": index,
            "content": prompt + completion.text if self._asked.echo else completion.text,
            "tokens": [],
            "id_slot": completion.slot,
            "stop": True,
            "model": self._model,
            "tokens_predicted": completion.n_output,
            "tokens_evaluated": completion.n_prompt,
            "generation_settings": self._settings,
            "prompt": prompt,
            "has_new_line": "\n" in completion.text,
            "truncated": completion.truncated,
            "stop_type": STOP_TYPES[completion.finish_reason],
            "stopping_word": completion.stop_string or "",
            "tokens_cached": completion.n_cached,
            "timings": timings([completion]),
        }

    def watch(self, outputs: Sequence[AsyncStream]) -> None:
        self._outputs = outputs

    def head(self) -> bytes:
        """The echoed prompts."""
        if not self._asked.echo:
            return b""
        parts = [self._before_tokens(prompt.text, i) for i, prompt in enumerate(self._prompts)]
        return b"".join([event(orjson.dumps(part)) for part in parts])

    def part(self, chunk: Chunk, index: int = 0) -> bytes:
        self._n_output[index] += chunk.n_tokens
        before = b"" if chunk.progress is None else self._progress(chunk.progress, index)
        tells_tokens = self._asked.reply.return_tokens and chunk.n_tokens
        if not (chunk.text or chunk.logprobs or tells_tokens):
            return before
        return before + fill(self._frames[index], self._values(chunk, index))

    def _progress(self, progress: Progress, index: int) -> bytes:
        part = self._before_tokens("", index) | {"prompt_progress": prompt_progress(progress)}
        return event(orjson.dumps(part))

    def _before_tokens(self, text: str, index: int) -> dict[str, Any]:
        """An event that no output token has come for."""
        slot = self._outputs[index].slot
        part = self._part(text, index) | {"tokens": [], "id_slot": slot, "tokens_predicted": 0}
        for name in ("timings", "completion_probabilities"):
            part.pop(name, None)
        return part

    def _values(self, chunk: Chunk, index: int) -> Iterator[bytes]:
        """What a frame's holes are for."""
        yield orjson.dumps(chunk.text)
        yield orjson.dumps(chunk.tokens) if self._asked.reply.return_tokens else b"[]"
        yield b"%d" % self._outputs[index].slot
        yield b"%d" % self._n_output[index]
        if self._asked.reply.timings_per_token:
            yield orjson.dumps(timings([self._outputs[index].counts]))
        if chunk.logprobs is not None:
            yield orjson.dumps(self._probs(chunk.logprobs))

    def end(self, completion: Completion, index: int) -> bytes:
        body = self._body(completion, index) | {"content": ""}
        return event(orjson.dumps(selected(body, self._asked.reply.response_fields)))

    def tail(self, completions: Sequence[Completion], index: int = 0) -> bytes:
        return self.end(completions[index], index)

    def _probs(self, tokens: Sequence[SampledToken]) -> list[dict[str, Any]]:
        return native_probs(tokens, post_sampling=self._post_sampling)
