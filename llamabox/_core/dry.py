"""DRY samplers: llama.cpp looks through the vocabulary for each of their sequence breakers."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MakeDry = Callable[[int, Any, int], Any]
"""Makes a sampler, as a ctypes pointer that the caller frees, of the address of a `llama_vocab`, a
`GenerationParams` and the number of tokens that it looks back at."""
MOST_KEPT = 4
MOST_BREAKERS = 8
"""Of a sampler that is kept: what is found for a common letter takes 2 MB."""


def new_dry(binding: Any, vocab: int, params: Any, last_n: int) -> Any:
    """A `MakeDry` for any vocabulary."""
    breakers = [breaker.encode() for breaker in params.dry_sequence_breakers]
    return binding.llama_sampler_init_dry(
        vocab,
        params.dry_multiplier,
        params.dry_base,
        params.dry_allowed_length,
        last_n,
        (ctypes.c_char_p * len(breakers))(*breakers),
        len(breakers),
    )


class DrySamplers:
    """Makes the samplers of one vocabulary, as long as it is there; for any thread.

    Those made last are kept: llama.cpp copies what it found for their breakers, which takes 0.2 ms
    where to look for them takes 30 (151,936 tokens, the four default breakers).
    """

    def __init__(self, binding: Any) -> None:
        self._binding = binding
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        # At the end of the process threads may still be copying.
        weakref.finalize(self, _free, binding, self._kept).atexit = False

    def make(self, vocab: int, params: Any, last_n: int) -> Any:
        """A `MakeDry` of always the same vocabulary."""
        key = (
            params.dry_multiplier,
            params.dry_base,
            params.dry_allowed_length,
            params.dry_sequence_breakers,
            last_n,
        )
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return self._binding.llama_sampler_clone(kept)
        sampler = new_dry(self._binding, vocab, params, last_n)
        if len(params.dry_sequence_breakers) <= MOST_BREAKERS:
            self._keep(key, self._binding.llama_sampler_clone(sampler))
        return sampler

    def _keep(self, key: tuple[Any, ...], sampler: Any) -> None:
        with self._lock:
            dropped = [self._kept.pop(key)] if key in self._kept else []
            self._kept[key] = sampler
            if len(self._kept) > MOST_KEPT:
                dropped.append(self._kept.popitem(last=False)[1])
        for each in dropped:
            self._binding.llama_sampler_free(each)


def _free(binding: Any, kept: OrderedDict[tuple[Any, ...], Any]) -> None:
    for sampler in kept.values():
        binding.llama_sampler_free(sampler)
    kept.clear()
