"""What llama.cpp alone says, to compare with."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Sequence

import llama_cpp
import numpy as np

from tests.core.running import LoadedModel


@dataclasses.dataclass
class Greedy:
    """A greedy output, and by how much each token led the next best, in logits."""

    tokens: list[int] = dataclasses.field(default_factory=list)
    leads: list[float] = dataclasses.field(default_factory=list)

    def agrees(self, tokens: Sequence[int], rounding: float) -> bool:
        """Whether `tokens` are the same up to a lead that rounding can turn over."""
        pairs = zip(self.tokens, tokens, strict=len(tokens) == len(self.tokens))
        differing = (i for i, (mine, theirs) in enumerate(pairs) if mine != theirs)
        first = next(differing, None)
        if first is None:
            return len(tokens) == len(self.tokens)
        return self.leads[first] < rounding


def plain_greedy(
    model: LoadedModel, prompt: Sequence[int], n_predict: int, *, ignore_eos: bool = False
) -> Greedy:
    """What llama.cpp alone makes of a prompt: one sequence, one context, one thread."""
    context = model.new_context(len(prompt) + n_predict + 1, 1, len(prompt) + 1, 512)
    ends = set(model.vocab.end_of_generation)
    output = Greedy()
    batch = list(prompt)
    while len(output.tokens) < n_predict and not ends & set(output.tokens[-1:]):
        tokens = (ctypes.c_int32 * len(batch))(*batch)
        code = llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, len(batch)))
        assert code == 0
        row = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), (model.n_vocab,))
        if ignore_eos:
            row[list(ends)] = -np.inf
        second, best = np.sort(row)[-2:]
        output.leads.append(float(best - second))
        output.tokens.append(int(np.argmax(row)))
        batch = output.tokens[-1:]
    llama_cpp.llama_free(context)
    return output
