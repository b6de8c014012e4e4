"""Prompts that share no beginning, or one that is new: no prefix of an earlier run is cached."""

from __future__ import annotations

import itertools
import random
from collections.abc import Hashable, Iterator

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


def shared_prefix_prompts(n: int, n_prefix_words: int, n_words: int, seed: int) -> list[str]:
    """`n` texts that begin with the same `n_prefix_words` words and end with `n_words` others."""
    (prefix,) = text_prompts(1, n_prefix_words, seed)
    return [f"{prefix} {text}" for text in text_prompts(n, n_words, seed)]


def token_prompts(n: int, n_tokens: int, n_vocab: int, seed: int) -> list[npt.NDArray[np.int32]]:
    """`n` prompts of random token ids, int32 [n_tokens] each, with different first ids."""
    rng = np.random.default_rng(seed)
    prompts = rng.integers(n_vocab // 2, n_vocab, (n, n_tokens), dtype=np.int32)
    prompts[:, 0] = n_vocab // 2 + rng.permutation(n_vocab // 2)[:n]
    return list(prompts)


class Seeds:
    """Numbers for the runs of several sides: each side gets 0, 1, 2, ..., so the same prompts."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, Iterator[int]] = {}

    def next(self, side: Hashable) -> int:
        """The number of the side's next run."""
        return next(self._counts.setdefault(side, itertools.count()))
