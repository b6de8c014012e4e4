"""Parameters of the model, the engine and a request, in llama.cpp's names.

Leaf module: frozen values that validate themselves and know nothing of HTTP. The server turns
OpenAI's names (``max_tokens``, ``stop``) into these.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from .errors import InvalidRequest

__all__ = ["EngineParams", "GenerationParams", "ModelParams"]

UNLIMITED = -1
RANDOM_SEED = -1
MAX_SEQUENCES = 256
"""Sequences that one llama.cpp context can hold (``LLAMA_MAX_SEQ``)."""
MAX_THREADS = 512
MAX_SECONDS = 1e6
MAX_PRIORITY = 1000
MAX_INT = 2**31 - 1
MAX_FLOAT = 1e30
MIN_REPEAT_PENALTY = 1e-6
MAX_SEED = 2**32 - 2
"""Largest seed: ``LLAMA_DEFAULT_SEED``, one above it, means random."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelParams:
    """How a GGUF file is loaded (``llama_model_params``).

    :param n_gpu_layers: layers kept on the GPU; -1 for all, ignored by CPU builds.
    :param use_mmap: map the file instead of reading it.
    :param use_mlock: keep the pages in RAM.
    """

    n_gpu_layers: int = -1
    use_mmap: bool = True
    use_mlock: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineParams:
    """Size and threads of an engine (``llama_context_params``).

    :param n_ctx: cells of the KV pool that all sessions share; 0 takes the model's own length.
    :param n_parallel: requests that run at once. Each may grow to the whole pool.
    :param n_batch: rows of a forward at most, while nothing is decoding.
    :param n_ubatch: rows that llama.cpp computes at a time, and the prefill rows of a forward
        that also decodes.
    :param n_threads: compute threads; None takes the physical cores less one, at least one.
    :param n_threads_batch: compute threads of forwards over several rows; None: ``n_threads``.
    :param n_queue: requests that may wait for a slot; more are refused; 0 has no limit.
    :param target_itl: seconds between two tokens of a request that prompts of others may stretch
        a step to; 0 for four times what a step takes that only decodes.
    :param warmup: run one forward when the engine starts, so that no request pays for it.
    """

    n_ctx: int = 4096
    n_parallel: int = 4
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int | None = None
    n_threads_batch: int | None = None
    n_queue: int = 0
    target_itl: float = 0.0
    warmup: bool = True

    def __post_init__(self) -> None:
        _check_int(self, "n_ctx", 0)
        _check_int(self, "n_parallel", 1, MAX_SEQUENCES)
        _check_int(self, "n_batch", 1)
        _check_int(self, "n_ubatch", 1)
        _check_int(self, "n_queue", 0)
        _check_float(self, "target_itl", 0, MAX_SECONDS)
        for name in ("n_threads", "n_threads_batch"):
            if getattr(self, name) is not None:
                _check_int(self, name, 1, MAX_THREADS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationParams:
    """What one request asks of the sampler, and when it ends.

    The filters run in llama.cpp's order: penalties, top_k, top_p, min_p, temperature.

    :param n_predict: output tokens at most; 0 computes the prompt only, -1 has no limit but
        the context.
    :param stop: strings that end the output; they are not part of it.
    :param ignore_eos: go on after an end-of-generation token (it is never sampled).
    :param priority: higher is served first; each level counts as ten seconds of waiting.
    :param deadline: seconds after its submission at which it ends; 0 for never.
    :param temperature: 0 or less is greedy.
    :param top_k: candidates kept; 0 keeps all.
    :param top_p: probability mass kept; 1 keeps all.
    :param min_p: least probability kept, relative to the best candidate's; 0 keeps all.
    :param repeat_last_n: tokens that the penalties look back at; 0 none, -1 the whole context.
    :param repeat_penalty: divides the logit of a repeated token; 1 is off.
    :param presence_penalty: subtracted from the logit of a repeated token.
    :param frequency_penalty: subtracted for each time it was repeated.
    :param seed: of the sampler's RNG; -1 draws one.
    """

    n_predict: int = UNLIMITED
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    priority: int = 0
    deadline: float = 0.0
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.1
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = RANDOM_SEED

    def __post_init__(self) -> None:
        _check_int(self, "n_predict", UNLIMITED)
        _check_int(self, "priority", -MAX_PRIORITY, MAX_PRIORITY)
        _check_float(self, "deadline", 0, MAX_SECONDS)
        _check_float(self, "temperature")
        _check_int(self, "top_k", -MAX_INT)
        _check_float(self, "top_p", 0, 1)
        _check_float(self, "min_p", 0, 1)
        _check_int(self, "repeat_last_n", -1)
        _check_float(self, "repeat_penalty", MIN_REPEAT_PENALTY)
        _check_float(self, "presence_penalty")
        _check_float(self, "frequency_penalty")
        _check_int(self, "seed", RANDOM_SEED, MAX_SEED)
        _check_strings(self, "stop")

    def replace(self, **changes: Any) -> GenerationParams:
        """These parameters with some fields changed.

        :raises InvalidRequest: a field is unknown or out of range.
        """
        try:
            return dataclasses.replace(self, **changes)
        except TypeError as error:
            raise InvalidRequest(str(error)) from None


def _check_int(params: object, name: str, low: int, high: int = MAX_INT) -> None:
    value = getattr(params, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequest(f"{name}: {value!r} is not an integer", param=name)
    if not low <= value <= high:
        raise InvalidRequest(f"{name}: {value} is not within {low} to {high}", param=name)


def _check_float(
    params: object, name: str, low: float = -MAX_FLOAT, high: float = MAX_FLOAT
) -> None:
    value = getattr(params, name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
        raise InvalidRequest(f"{name}: {value!r} is not a number", param=name)
    if not low <= value <= high:
        raise InvalidRequest(f"{name}: {value} is not within {low} to {high}", param=name)


def _check_strings(params: object, name: str) -> None:
    value = getattr(params, name)
    if not isinstance(value, tuple):
        raise InvalidRequest(f"{name}: {value!r} is not a tuple of strings", param=name)
    for text in value:
        if not isinstance(text, str) or not text:
            raise InvalidRequest(f"{name}: {text!r} is not a string, or is empty", param=name)
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise InvalidRequest(f"{name}: {text!r} has lone surrogates", param=name)
