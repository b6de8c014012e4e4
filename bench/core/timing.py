"""Time per call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

N_BLOCKS = 7


def ns_per_call(call: Callable[[], object], n_calls: int) -> float:
    """Nanoseconds of one call: the median over blocks of `n_calls`."""
    blocks = []
    for _ in range(N_BLOCKS):
        started = time.perf_counter_ns()
        for _ in range(n_calls):
            call()
        blocks.append((time.perf_counter_ns() - started) / n_calls)
    return statistics.median(blocks)
