"""GBNF, tried before a request may have it: llama.cpp bounds neither its stacks nor its time."""

from __future__ import annotations

import ctypes
import random
import time
from typing import Any

from ..errors import InvalidRequest
from .chain import make_grammar
from .grammar_size import has_too_many_stacks, n_bytes

MAX_CHARACTERS = 1_000_000
MAX_BYTES = 128 << 20
N_SAMPLE = 64
"""Tokens that stand for the vocabulary."""
N_STEPS = 12
"""Tokens that are written on trial."""
MAX_MASK = 0.5
"""Seconds that it may take to look at the vocabulary."""
MAX_TRIAL = 0.25
"""Seconds after which a grammar that is fast enough so far needs no more of a trial."""


def try_grammar(binding: Any, vocab: int, n_vocab: int, text: str, *, seed: int = 0) -> None:
    """Make a grammar, and write a few random tokens with it.

    :param vocab: address of the `llama_vocab`.
    :raises InvalidRequest: it does not parse, or takes too long for a token.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidRequest(f"it has more than {MAX_CHARACTERS} characters")
    if n_bytes(text) > MAX_BYTES:
        raise InvalidRequest("it repeats too much")
    if has_too_many_stacks(text):
        raise InvalidRequest("it is too ambiguous: too much of it may be empty, or come next")
    sampler = make_grammar(binding, vocab, text)
    rng = random.Random(seed)
    started = time.perf_counter()
    try:
        for _ in range(N_STEPS):
            allowed = [
                token
                for token in _try_tokens(binding, sampler, n_vocab, rng)
                if not binding.llama_vocab_is_eog(vocab, token)
            ]
            if not allowed or time.perf_counter() - started > MAX_TRIAL:
                return
            binding.llama_sampler_accept(sampler, rng.choice(allowed))
    finally:
        binding.llama_sampler_free(sampler)


def _try_tokens(binding: Any, sampler: Any, n_vocab: int, rng: random.Random) -> list[int]:
    """Tokens of a sample that the grammar allows next.

    One is tried alone first: where already that takes long, it is enough.
    """
    sample = rng.sample(range(n_vocab), min(n_vocab, N_SAMPLE))
    allowed: list[int] = []
    for part in (sample[:1], sample[1:]):
        data = (binding.llama_token_data * max(1, len(part)))()
        for i, token in enumerate(part):
            data[i].id, data[i].logit = token, 1.0
        array = binding.llama_token_data_array(data, len(part), -1, False)
        started = time.perf_counter()
        binding.llama_sampler_apply(sampler, ctypes.byref(array))
        seconds = (time.perf_counter() - started) / max(1, len(part)) * n_vocab
        if (len(part) > 1 and seconds > MAX_MASK) or seconds > MAX_MASK * N_SAMPLE:
            raise InvalidRequest(
                f"it is too ambiguous: llama.cpp takes about {seconds:.1f} s for a token"
            )
        allowed += [data[i].id for i in range(len(part)) if data[i].logit > 0]
    return allowed
