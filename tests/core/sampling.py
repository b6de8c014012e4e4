"""Rows of logits, and the two samplers run over them side by side."""

from __future__ import annotations

from collections.abc import Iterator

import llama_cpp
import numpy as np

from llamabox import GenerationParams
from llamabox._core.dry import MakeDry
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from tests.core.common_sampler import CommonSampler, Logits

N_CTX = 256


def random_logits(rng: np.random.Generator, n_vocab: int) -> Logits:
    """A row like a model's: flat, or with some tokens that stand out, now and then -inf."""
    spread = rng.uniform(0.5, 3)
    row = (rng.standard_normal(n_vocab) * spread + rng.uniform(-12, 12)).astype(np.float32)
    if rng.random() < 0.7:
        chosen = rng.choice(n_vocab, rng.integers(1, 60), replace=False)
        row[chosen] += rng.uniform(0, 12, len(chosen)).astype(np.float32)
    if rng.random() < 0.3:
        row[rng.choice(n_vocab, rng.integers(1, n_vocab - 1), replace=False)] = -np.inf
    return row


def rounded(row: Logits) -> Logits:
    """Many equal logits."""
    return np.round(row * 4).astype(np.float32) / 4


def repeating_logits(rng: np.random.Generator, n_vocab: int, history: list[int]) -> Logits:
    """A row of a model that likes to go on as it went on the last time."""
    row = random_logits(rng, n_vocab)
    best = row[np.isfinite(row)].max()
    row[np.array(history[-12:])] = best + rng.uniform(0, 1, 12)
    before = [i for i, token in enumerate(history[:-1]) if token == history[-1]]
    if before:
        row[history[before[-1] + 1]] = best + 3
    return row


class Pair:
    """A core sampler and a `CommonSampler` of the same params and prompt."""

    def __init__(
        self,
        params: GenerationParams,
        *,
        n_vocab: int,
        prompt: list[int],
        vocab: int | None = None,
        make_dry: MakeDry | None = None,
    ) -> None:
        self.library = Library(llama_cpp)
        self.history = list(prompt)
        self.ours = Sampler(llama_cpp, n_vocab, N_CTX, params, vocab=vocab, make_dry=make_dry)
        self.theirs = CommonSampler(params, n_vocab=n_vocab, n_ctx=N_CTX, vocab=vocab)
        self.ours.start(self.library, np.array(prompt, np.int32))
        for token in prompt:
            self.theirs.accept(token, is_generated=False)

    def sample(self, row: Logits) -> tuple[int, int]:
        """(the core's token, llama.cpp's); both accept it. The row is not changed."""
        before = row.copy()
        token = self.ours.sample(self.library, row, np.array(self.history, np.int32))
        assert np.array_equal(row, before)
        reference = self.theirs.sample(row).selected
        self.theirs.accept(reference)
        self.history.append(reference)
        return token, reference


def assert_same(
    params: GenerationParams,
    rows: Iterator[Logits],
    *,
    n_vocab: int,
    prompt: list[int],
    vocab: int | None = None,
) -> None:
    """Both choose the same token for each row in turn."""
    pair = Pair(params, n_vocab=n_vocab, prompt=prompt, vocab=vocab)
    for i, row in enumerate(rows):
        token, reference = pair.sample(row)
        assert token == reference, (i, params)
    pair.theirs.close()
