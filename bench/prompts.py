"""Prompts that share no beginning, so that nobody's prefix cache has a part in a figure."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

WORDS = (
    "the a one every some old small red quiet fox boat lamp river garden child friend "
    "went found made gave saw kept lost told under over near with and then because while "
    "morning evening summer winter bread stone letter song house road night day"
).split()


def text_prompts(n: int, n_words: int, seed: int) -> list[str]:
    """`n` texts of `n_words` words; each begins with a number of its own."""
    rng = random.Random(seed)
    numbers = rng.sample(range(10_000, 100_000), n)
    return [f"{number} " + " ".join(rng.choices(WORDS, k=n_words - 1)) for number in numbers]


def token_prompts(n: int, n_tokens: int, n_vocab: int, seed: int) -> list[npt.NDArray[np.int32]]:
    """`n` prompts of random token ids, int32 [n_tokens] each, with different first ids."""
    rng = np.random.default_rng(seed)
    prompts = rng.integers(n_vocab // 2, n_vocab, (n, n_tokens), dtype=np.int32)
    prompts[:, 0] = n_vocab // 2 + rng.permutation(n_vocab // 2)[:n]
    return list(prompts)
