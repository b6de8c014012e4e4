"""A thousand requests on a context too small for all of them."""

from __future__ import annotations

import collections
import gc
import time

import numpy as np
import psutil

from llamabox.params import GenerationParams
from tests.core.running import CANCELLED, EOG, HANG, LENGTH, STOP, Core, LoadedModel, eventually

N_REQUESTS = 1000
GROWTH = 8 << 20
"""Bytes of resident memory that eight hundred requests may add."""


class Load:
    """Random requests at random moments, some of which are cancelled."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rng = np.random.default_rng(51)
        self._open = collections.deque()
        self.ended = collections.Counter()
        self.n_output = self.n_prompt = self.n_cached = 0

    def run(self, n: int) -> None:
        for _ in range(n):
            self._submit()
            if self._rng.random() < 0.15:
                self._open[self._rng.integers(len(self._open))].request.cancel()
            if self._rng.random() < 0.02:
                time.sleep(0.002)
            eventually(lambda: self._settle() < 60, "the queue shortens")
        eventually(lambda: self._settle() == 0, "every request ends")

    def _submit(self) -> None:
        rng, core = self._rng, self._core
        shared = list(range(int(rng.integers(0, 60))))
        prompt = [*shared, *rng.integers(0, 500, int(rng.choice([1, 5, 30, 120])))]
        params = GenerationParams(
            seed=int(rng.integers(2**31)),
            temperature=float(rng.choice([0, 1.0])),
            ignore_eos=bool(rng.random() < 0.5),
            repeat_penalty=float(rng.choice([1.0, 1.1])),
        )
        stops = [b"th", b"e"] if rng.random() < 0.2 else []
        n_predict = int(rng.choice([0, 1, 8, 40, 200, -1], p=[0.1, 0.1, 0.3, 0.3, 0.18, 0.02]))
        self._open.append(core.submit(prompt, n_predict, params=params, stops=stops))
        core.results.clear()

    def _settle(self) -> int:
        """Book what has ended; returns how many have not."""
        self._core.drain()
        for _ in range(len(self._open)):
            result = self._open.popleft()
            if not result.finish:
                self._open.append(result)
                continue
            self.ended[result.finish] += 1
            self.n_output += result.request.n_output
            self.n_cached += result.request.n_cached
            assert result.n_tokens == result.request.n_output
        return len(self._open)


def test_a_thousand_requests_end_and_leave_nothing_behind(tiny: LoadedModel) -> None:
    process = psutil.Process()
    with Core(tiny, n_ctx=512, n_parallel=8, n_batch=128, n_ubatch=64) as core:
        load = Load(core)
        load.run(200)
        gc.collect()
        before = process.memory_info().rss, process.num_fds(), process.num_threads()
        load.run(N_REQUESTS - 200)
        gc.collect()
        after = process.memory_info().rss, process.num_fds(), process.num_threads()
        check_books(core, load)
    assert after[0] - before[0] < GROWTH
    assert after[1:] == before[1:]


def check_books(core: Core, load: Load) -> None:
    def is_idle() -> bool:
        stats = core.scheduler.stats()
        return not stats["n_running"] and sum(stats["n_requests"].values()) == N_REQUESTS

    eventually(is_idle, f"an idle scheduler within {HANG} s")
    stats = core.scheduler.stats()
    assert set(load.ended) == {EOG, STOP, LENGTH, CANCELLED}
    assert sum(load.ended.values()) == N_REQUESTS
    counts = stats["n_requests"]
    assert counts.pop("error") == counts.pop("no_token") == counts.pop("deadline") == 0
    assert list(counts.values()) == [load.ended[i] for i in (EOG, STOP, LENGTH, CANCELLED)]
    assert stats["n_output_tokens"] == load.n_output
    assert stats["n_cached_tokens"] == load.n_cached
    assert stats["n_preempted"] > 0
    assert stats["n_waiting"] == 0
    assert core.checked_cells() == stats["n_cells_used"] <= 512
