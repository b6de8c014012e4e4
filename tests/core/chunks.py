"""Reuse of chunks as llama-server does it, on llama.cpp alone: one context, one sequence."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import llama_cpp
import numpy as np

from tests.core.plain_greedy import Greedy
from tests.core.running import LoadedModel
from tests.core.shifting import PlainShift

Chunk = tuple[int, int, int]
"""Where it is, where it goes, and of how many tokens."""


def chunks_of(held: Sequence[int], prompt: Sequence[int], n_reuse: int) -> Iterator[Chunk]:
    """First the common prefix, and then what moves, token by token as the words of it say."""
    n = next(
        (i for i, pair in enumerate(zip(held, prompt, strict=False)) if len(set(pair)) > 1), None
    )
    start = end = min(len(held), len(prompt)) if n is None else n
    yield 0, 0, end
    while start < len(held) and end < len(prompt):
        n = 0
        while (
            start + n < len(held) and end + n < len(prompt) and held[start + n] == prompt[end + n]
        ):
            n += 1
        if n >= n_reuse:
            yield start, end, n
            start, end = start + n, end + n
        else:
            start += 1


class PlainReuse(PlainShift):
    """A window that begins with what is left of another one.

    :param held: tokens of the other one, all computed.
    :ivar n_cached: of the prompt, those that were there.
    """

    def __init__(
        self,
        model: LoadedModel,
        held: Sequence[int],
        prompt: Sequence[int],
        *,
        n_reuse: int,
        n_ctx: int,
        n_keep: int = 0,
    ) -> None:
        super().__init__(model, prompt, n_ctx=n_ctx, n_keep=n_keep)
        tokens = (ctypes.c_int32 * len(held))(*held)
        batch = llama_cpp.llama_batch_get_one(tokens, len(held))
        assert llama_cpp.llama_decode(self._context, batch) == 0
        for start, end, n in chunks_of(held, prompt, n_reuse):
            if start > end:
                llama_cpp.llama_memory_seq_rm(self._memory, 0, end, start)
                llama_cpp.llama_memory_seq_add(self._memory, 0, start, start + n, end - start)
            self._n_past = end + n
        self._n_past = self.n_cached = min(self._n_past, len(prompt) - 1)
        llama_cpp.llama_memory_seq_rm(self._memory, 0, self._n_past, -1)


def plain_reused(
    model: LoadedModel, held: Sequence[int], prompt: Sequence[int], n_predict: int, **options: int
) -> tuple[int, Greedy]:
    """Cached tokens, and the likeliest tokens that end nothing, with their leads."""
    plain = PlainReuse(model, held, prompt, **options)
    ends = list(model.vocab.end_of_generation)
    output = Greedy()
    for _ in range(n_predict):
        row = plain.logits().copy()
        row[ends] = -np.inf
        second, best = np.sort(row)[-2:]
        output.leads.append(float(best - second))
        output.tokens.append(int(np.argmax(row)))
        plain.window.append(output.tokens[-1])
    plain.close()
    return plain.n_cached, output
