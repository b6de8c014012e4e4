"""Context shift as llama-server does it, on llama.cpp alone: one context, one sequence."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Sequence

import llama_cpp
import numpy as np

from tests.core.plain_chain import Logits
from tests.core.plain_greedy import Greedy
from tests.core.running import LoadedModel

Choose = Callable[[Logits], int]


class PlainShift:
    """A window of known tokens, all but the last computed, on a context of its own.

    :param n_ctx: tokens at which the window shifts.
    :param recomputed: numbers of the shifts, from 0, that compute the window again instead of
        moving its cells.
    """

    def __init__(
        self,
        model: LoadedModel,
        prompt: Sequence[int],
        *,
        n_ctx: int,
        n_keep: int,
        n_discard: int = 0,
        recomputed: Collection[int] = (),
    ) -> None:
        self.window = list(prompt)
        self.n_shifts = 0
        self._n_vocab = model.n_vocab
        self._context = model.new_context(n_ctx, 1, n_ctx, 512)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._n_ctx = n_ctx
        self._n_keep = min(n_ctx - 4, n_keep)
        n_left = n_ctx - 1 - self._n_keep
        self._n_discard = min(n_discard or n_left // 2, n_left - 1)
        self._recomputed = recomputed
        self._n_past = 0

    def logits(self) -> Logits:
        """Logits [n_vocab] behind the window, which shifts before if it is full."""
        if len(self.window) == self._n_ctx:
            self._shift()
        pending = self.window[self._n_past :]
        tokens = (ctypes.c_int32 * len(pending))(*pending)
        batch = llama_cpp.llama_batch_get_one(tokens, len(pending))
        assert llama_cpp.llama_decode(self._context, batch) == 0
        self._n_past = len(self.window)
        row = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, (self._n_vocab,))

    def close(self) -> None:
        llama_cpp.llama_free(self._context)

    def _shift(self) -> None:
        n_gone = self._n_keep + self._n_discard
        if self.n_shifts in self._recomputed:
            llama_cpp.llama_memory_clear(self._memory, True)
            self._n_past = 0
        else:
            llama_cpp.llama_memory_seq_rm(self._memory, 0, self._n_keep, n_gone)
            llama_cpp.llama_memory_seq_add(self._memory, 0, n_gone, self._n_past, -self._n_discard)
            self._n_past -= self._n_discard
        del self.window[self._n_keep : n_gone]
        self.n_shifts += 1


def plain_shifted(
    model: LoadedModel,
    prompt: Sequence[int],
    n_predict: int,
    *,
    choose: Choose | None = None,
    **options: int | Collection[int],
) -> Greedy:
    """Tokens that end nothing, the likeliest ones or those of `choose`, and their leads."""
    plain = PlainShift(model, prompt, **options)  # type: ignore[arg-type]
    ends = model.vocab.end_of_generation
    output = Greedy()
    for _ in range(n_predict):
        row = plain.logits().copy()
        row[list(ends)] = -np.inf
        second, best = np.sort(row)[-2:]
        output.leads.append(float(best - second))
        output.tokens.append(choose(row) if choose else int(np.argmax(row)))
        plain.window.append(output.tokens[-1])
    plain.close()
    return output
