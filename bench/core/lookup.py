"""The n-gram index: what a token costs that is added, with the search for a match."""

from __future__ import annotations

import statistics
import time

import numpy as np
import numpy.typing as npt

from llamabox._core.ngram import Ngram

from ..report import Figure
from ..settings import Settings

SIZES = {1: "1 to 4", 3: "3 and 4"}
"""Of the n-grams that are indexed, by the least."""
N_KNOWN = {1_000: 20, 100_000: 3}
"""Tokens of history, and indexes that are made to measure at each."""
N_VOCAB = 150_000
MOST_NS = 200

Tokens = npt.NDArray[np.int32]


def measure(settings: Settings) -> tuple[Figure, ...]:
    """Ten parts of tokens added to a history, a hundredth of it each."""
    texts = {"random tokens": _random, "text that repeats": _repeating}
    return tuple(
        Figure(
            case=f"n-gram index, sizes {sizes}, {n_known:,} tokens of {name}",
            value=_ns_per_token(make(settings.count(n_known, 100) * 11 // 10), n_min, n_indexes),
            unit="ns",
            at_most=MOST_NS,
        )
        for n_min, sizes in SIZES.items()
        for n_known, n_indexes in N_KNOWN.items()
        for name, make in texts.items()
    )


def _random(n: int) -> Tokens:
    return np.random.default_rng(1).integers(0, N_VOCAB, n).astype(np.int32)


def _repeating(n: int) -> Tokens:
    return np.resize(_random(97), n).astype(np.int32)


def _ns_per_token(tokens: Tokens, n_min: int, n_indexes: int) -> float:
    n_known = len(tokens) * 10 // 11
    return statistics.median(
        ns for _ in range(n_indexes) for ns in _ns_of_parts(tokens, n_min, n_known)
    )


def _ns_of_parts(tokens: Tokens, n_min: int, n_known: int) -> list[float]:
    """Of each tenth of the tokens behind `n_known`, in an index that has those."""
    index = Ngram(n_min, n_known)
    index.push(tokens[:n_known])
    n_part = n_known // 100
    parts = []
    for i in range(10):
        end = n_known + (i + 1) * n_part
        started = time.perf_counter_ns()
        index.push(tokens[:end])
        parts.append((time.perf_counter_ns() - started) / n_part)
    return parts
