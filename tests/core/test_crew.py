"""Rows that several threads sample get the tokens that one thread gives them."""

from __future__ import annotations

from typing import Any

import llama_cpp
import numpy as np
import psutil
import pytest

from llamabox._core.crew import Crew, sample_rows
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from llamabox.params import GenerationParams
from tests.core.faults import Gated
from tests.core.running import Core, LoadedModel, eventually

N_REQUESTS = 16
N_PREDICT = 40
N_VOCAB = 20_000
UNPRUNABLE: list[dict[str, Any]] = [
    {"samplers": ("typ_p",), "typical_p": 0.9},
    {"samplers": ("top_p", "temperature")},
    {"samplers": ("xtc",), "xtc_probability": 0.5, "xtc_threshold": 0.001},
    {"mirostat": 1},
    {"mirostat": 2},
]
MIXED: list[dict[str, Any]] = [
    *UNPRUNABLE,
    {},
    {"temperature": 0.0},
    {"dry_multiplier": 0.8, "dry_allowed_length": 1},
    {"repeat_penalty": 1.3, "frequency_penalty": 0.2},
    {"grammar": "root ::= [a-e ]+"},
    {"grammar": 'root ::= "x" [0-9]+', "mirostat": 2},
]


def mixed_params() -> list[GenerationParams]:
    return [
        GenerationParams(seed=i, ignore_eos=True, **MIXED[i % len(MIXED)])
        for i in range(N_REQUESTS)
    ]


def outputs_of(model: LoadedModel, n_threads: int) -> list[tuple[list[int], Any]]:
    """What the mixed requests give, tokens and probabilities, in the same batches each time."""
    decoder = Gated()
    with Core(model, n_parallel=N_REQUESTS, decoder=decoder, n_sampling_threads=n_threads) as core:
        core.scheduler.output.wake_ns = 0
        for i, params in enumerate(mixed_params()):
            core.submit([i], N_PREDICT, params=params, n_probs=i % 5 - 1, post_sampling=i % 2 == 0)
            if i == 0:
                decoder.entered.wait()
        decoder.open()
        core.wait()
        assert core.scheduler.output.crew.n_started == n_threads - 1
    return [(result.tokens, result.probs) for result in core.results]


def test_mixed_requests_get_the_same_tokens_from_one_thread_and_from_four(
    tiny: LoadedModel,
) -> None:
    alone = outputs_of(tiny, 1)
    assert max(len(tokens) for tokens, _ in alone) == N_PREDICT
    assert outputs_of(tiny, 4) == alone


@pytest.mark.parametrize("n_helpers", [1, 3])
def test_expensive_rows_get_the_same_tokens_with_helpers(n_helpers: int) -> None:
    rng = np.random.default_rng(3)
    library, crew = Library(llama_cpp), Crew(n_helpers, N_VOCAB)
    alone, helped = (
        [
            Sampler(llama_cpp, N_VOCAB, 1, GenerationParams(seed=i, **options))
            for i, options in enumerate(UNPRUNABLE * 3)
        ]
        for _ in range(2)
    )
    for _ in range(5):
        logits = rng.normal(0, 3, (len(alone), N_VOCAB)).astype(np.float32)
        before = logits.copy()
        expected = sample_rows(crew, library, alone, logits, n_helpers=0)
        assert sample_rows(crew, library, helped, logits, n_helpers=n_helpers) == expected
        assert np.array_equal(logits, before)
    assert crew.n_started == n_helpers


def test_rows_that_cost_little_start_no_thread(tiny: LoadedModel) -> None:
    with Core(tiny, n_sampling_threads=4) as core:
        core.submit([1], 8)
        core.wait()
        assert core.scheduler.output.crew.n_started == 0


def test_helpers_end_with_their_scheduler(tiny: LoadedModel) -> None:
    process = psutil.Process()
    n_before, n_helped = process.num_threads(), 0
    for i in range(100):
        with Core(tiny, n_ctx=256, n_sampling_threads=3) as core:
            core.scheduler.output.wake_ns = 0
            for params in mixed_params()[:4]:
                core.submit([i], 10, params=params)
            core.wait()
            n_helped += core.scheduler.output.crew.n_started > 0
    assert n_helped > 0
    eventually(lambda: process.num_threads() == n_before, "the threads are gone")
