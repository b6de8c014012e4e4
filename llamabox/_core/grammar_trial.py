"""GBNF, tried before a request may have it: llama.cpp bounds neither its stacks nor its time."""

from __future__ import annotations

import ctypes
import functools
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidRequest
from .chain import make_grammar
from .grammar_size import has_too_many_stacks, n_bytes

MAX_CHARACTERS = 1_000_000
MAX_BYTES = 128 << 20
N_SAMPLE = 64
"""Tokens that stand for the vocabulary, if some of them are allowed."""
N_STEPS = 24
"""Tokens that are written on trial."""
MAX_TOKEN_BYTES = 6
"""Of their texts: where stacks double with each character, a long one may take for ever."""
MAX_MASK = 0.5
"""Seconds that it may take to look at the vocabulary, or to go on with a token."""
MIN_MEASURED = 0.02
"""Seconds: less says little of what the whole vocabulary takes."""
MAX_TRIAL = 0.25
"""Seconds after which a grammar that is fast enough so far, and does not slow down, needs no more
of a trial."""
TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def try_grammar(binding: Any, vocab: int, n_vocab: int, text: str, *, seed: int = 0) -> None:
    """Make a grammar, and write a few random tokens with it.

    Times are those of the thread, which do not depend on what else runs.

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
    rng = np.random.default_rng(seed)
    length = functools.partial(_length, binding, vocab)
    n_seconds = 0.0
    try:
        short = np.array([t for t in range(n_vocab) if length(t) <= MAX_TOKEN_BYTES], np.int32)
        for _ in range(N_STEPS):
            started = time.thread_time()
            allowed = _try_tokens(binding, sampler, rng.permutation(short), n_vocab)
            going_on = [t for t in allowed if not binding.llama_vocab_is_eog(vocab, t)]
            if not going_on:
                return
            t_masked = time.thread_time()
            binding.llama_sampler_accept(sampler, min(going_on, key=length))
            if time.thread_time() - t_masked > MAX_MASK:
                raise _too_ambiguous(time.thread_time() - t_masked)
            n_last = time.thread_time() - started
            n_seconds += n_last
            if n_seconds > MAX_TRIAL and n_last < n_seconds / 2:
                return
    finally:
        binding.llama_sampler_free(sampler)


def _length(binding: Any, vocab: int, token: int) -> int:
    return len(binding.llama_vocab_get_text(vocab, token))


def _try_tokens(
    binding: Any, sampler: Any, order: npt.NDArray[np.int32], n_vocab: int
) -> list[int]:
    """Tokens that the grammar allows next, of a sample; of more, if it allows none of that or seems
    to take too long.

    One is tried alone first: where already that takes long, it is enough.

    :param order: the tokens in the order in which they are tried.
    """
    allowed: list[int] = []
    begin, end = 0, 1
    expected = 0.0
    while begin < len(order) and (begin < N_SAMPLE or not allowed or expected > MAX_MASK):
        data = np.zeros(min(end, len(order)) - begin, TOKEN_DATA)
        data["id"], data["logit"] = order[begin:end], 1.0
        pointer = data.ctypes.data_as(ctypes.POINTER(binding.llama_token_data))
        array = binding.llama_token_data_array(pointer, len(data), -1, False)
        started = time.thread_time()
        binding.llama_sampler_apply(sampler, ctypes.byref(array))
        measured = time.thread_time() - started
        expected = measured / len(data) * n_vocab
        if expected > MAX_MASK and measured > MIN_MEASURED:
            raise _too_ambiguous(expected)
        allowed += data["id"][data["logit"] > 0].tolist()
        begin, end = end, max(N_SAMPLE, 2 * end)
    return allowed


def _too_ambiguous(seconds: float) -> InvalidRequest:
    return InvalidRequest(f"it is too ambiguous: llama.cpp takes about {seconds:.1f} s for a token")
