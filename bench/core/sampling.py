"""Rows of a large vocabulary: llamabox from raw logits, llama.cpp on the candidate array; and many
rows by one thread and by several."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from llamabox import GenerationParams
from llamabox._core.crew import Crew, sample_rows
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler

from ..pairs import Comparison, compare
from ..settings import Settings, counted

N_VOCAB = 151_936
SEED = 7
N_ROWS = 16
N_HELPERS = 1
UNPRUNABLE = GenerationParams(samplers=("typ_p", "temperature"), typical_p=0.9)

Logits = npt.NDArray[np.float32]


def measure(settings: Settings) -> tuple[Comparison, ...]:
    """Both parameter sets, each against llama.cpp with and without the writing of its array.

    :raises RuntimeError: the two sides sample different tokens.
    """
    logits = np.random.default_rng(SEED).normal(0.0, 3.0, N_VOCAB).astype(np.float32)
    one_row = [
        comparison
        for name, params in (
            ("default chain", GenerationParams(seed=SEED)),
            ("greedy", GenerationParams(seed=SEED, temperature=0.0)),
        )
        for comparison in _compare(name, params, logits, settings)
    ]
    return (*one_row, _compare_threads(settings))


def _compare(
    name: str, params: GenerationParams, logits: Logits, settings: Settings
) -> Iterator[Comparison]:
    n_calls = settings.count(200, 3)
    pruned, full = _Pruned(logits, params), _FullArray(logits, params)
    if [pruned.sample()[0] for _ in range(20)] != [full.sample()[0] for _ in range(20)]:
        raise RuntimeError(f"{name}: llamabox and llama.cpp sample different tokens")
    for peer_name, with_fill in (("full array", True), ("full array, filters alone", False)):
        yield compare(
            f"sampling, {name}, 151,936 logits",
            ours=partial(_median_us, pruned.sample, n_calls),
            peer=partial(_median_us, partial(full.sample, with_fill=with_fill), n_calls),
            peer_name=f"llama.cpp, {peer_name}",
            unit="µs",
            runs=settings.runs,
            lower_is_better=True,
            in_summary=with_fill,
        )


def _compare_threads(settings: Settings) -> Comparison:
    """A step's rows, which nothing can be left out of, with helpers and without."""
    rng = np.random.default_rng(SEED)
    logits = rng.normal(0.0, 3.0, (N_ROWS, N_VOCAB)).astype(np.float32)
    library, crew = Library(llama_cpp), Crew(N_HELPERS, N_VOCAB)
    samplers = [Sampler(llama_cpp, N_VOCAB, 1, UNPRUNABLE.replace(seed=i)) for i in range(N_ROWS)]

    def milliseconds(n_helpers: int) -> float:
        started = time.perf_counter_ns()
        sample_rows(crew, library, samplers, logits, n_helpers=n_helpers)
        return (time.perf_counter_ns() - started) / 1e6

    return compare(
        f"sampling, {N_ROWS} rows, typical_p first, {N_VOCAB:,} logits",
        ours=partial(milliseconds, N_HELPERS),
        peer=partial(milliseconds, 0),
        peer_name=f"llamabox without its {counted(N_HELPERS, 'helper thread')}",
        unit="ms",
        runs=settings.runs,
        lower_is_better=True,
        in_summary=False,
    )


def _median_us(sample: Callable[[], tuple[int, int]], n_calls: int) -> float:
    return statistics.median(sample()[1] for _ in range(n_calls)) / 1e3


class _Pruned:
    """llamabox's sampler."""

    def __init__(self, logits: Logits, params: GenerationParams) -> None:
        self._logits = logits.copy()
        self._library = Library(llama_cpp)
        self._history = np.zeros(1, np.int32)
        self._sampler = Sampler(llama_cpp, N_VOCAB, 1, params)

    def sample(self) -> tuple[int, int]:
        """A token, and the nanoseconds that it took."""
        started = time.perf_counter_ns()
        token = self._sampler.sample(self._library, self._logits, self._history)
        return token, time.perf_counter_ns() - started


class _FullArray:
    """llama.cpp's samplers over an array of all candidates, which they reorder."""

    def __init__(self, logits: Logits, params: GenerationParams) -> None:
        self._candidates = (llama_cpp.llama_token_data * N_VOCAB)()
        self._prepared = (llama_cpp.llama_token_data * N_VOCAB)()
        fields = [("id", np.int32), ("logit", np.float32), ("p", np.float32)]
        view = np.frombuffer(self._prepared, dtype=fields)
        view["id"] = np.arange(N_VOCAB)
        view["logit"] = logits
        self._array = llama_cpp.llama_token_data_array(
            data=self._candidates, size=N_VOCAB, selected=-1, sorted=False
        )
        self._chain = _chain(params)

    def __del__(self) -> None:
        llama_cpp.llama_sampler_free(self._chain)

    def fill(self) -> None:
        """Write the array anew: a copy of a prepared one, which costs less than computing it."""
        ctypes.memmove(self._candidates, self._prepared, ctypes.sizeof(self._prepared))
        self._array.size = N_VOCAB
        self._array.selected = -1
        self._array.sorted = False

    def sample(self, with_fill: bool = True) -> tuple[int, int]:
        """A token, and the nanoseconds that it took, with or without those of `fill`."""
        array = ctypes.byref(self._array)
        started = time.perf_counter_ns()
        self.fill()
        if not with_fill:
            started = time.perf_counter_ns()
        llama_cpp.llama_sampler_apply(self._chain, array)
        token: int = self._candidates[self._array.selected].id
        llama_cpp.llama_sampler_accept(self._chain, token)
        return token, time.perf_counter_ns() - started


def _chain(params: GenerationParams) -> Any:
    """llama.cpp's samplers for the same parameters, as its own server chains them."""
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    if params.temperature <= 0:
        llama_cpp.llama_sampler_chain_add(chain, llama_cpp.llama_sampler_init_greedy())
        return chain
    for sampler in (
        llama_cpp.llama_sampler_init_top_k(params.top_k),
        llama_cpp.llama_sampler_init_top_p(params.top_p, 0),
        llama_cpp.llama_sampler_init_min_p(params.min_p, 0),
        llama_cpp.llama_sampler_init_temp(params.temperature),
        llama_cpp.llama_sampler_init_dist(params.seed),
    ):
        llama_cpp.llama_sampler_chain_add(chain, sampler)
    return chain
