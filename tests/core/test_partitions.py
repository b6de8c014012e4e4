"""A partitioned memory: sequences with cells of their own give what a pool of cells gives."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.faults import Gated
from tests.core.running import GREEDY, LENGTH, Core, LoadedModel
from tests.core.test_load import Load
from tests.core.test_prefix_reuse import branching_prompts, common_prefix, held_tokens

ENDLESS = GREEDY.replace(ignore_eos=True)
MIN_COPY = 32
"""Tokens of a match that are worth a copy."""


def test_n_cached_is_the_longest_prefix_worth_a_copy(tiny: LoadedModel) -> None:
    held: list[list[int]] = []
    sure: list[list[int]] = []
    n_exact = 0

    def longest(known: list[list[int]], prompt: list[int]) -> int:
        n = max((common_prefix(tokens, prompt[:-1]) for tokens in known), default=0)
        return n if n >= MIN_COPY else 0

    with Core(tiny, n_ctx=256, n_parallel=4, n_sequences=100, partitioned=True) as core:
        for prompt in branching_prompts(tiny, 60):
            result = core.run(prompt, 6, params=ENDLESS)
            n = result.request.n_cached
            assert longest(sure, prompt) <= n <= longest(held, prompt)
            n_exact += n == longest(held, prompt)
            # What lies little behind the prefix that was taken may have been given up for it.
            sure = [
                h[:n] if n and common_prefix(h, prompt) >= n and len(h) < n + MIN_COPY else h
                for h in sure
            ]
            held, sure = ([h for h in known if len(h) >= MIN_COPY] for known in (held, sure))
            held.append(held_tokens(result, prompt))
            sure.append(held[-1])
            core.checked_cells()
        assert core.stats()["n_cached_tokens"] > 0
        assert n_exact > 50


def test_a_burst_computes_its_common_prefix_once(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(13)
    common = tiny.random_prompt(rng, 200)
    tails = [[n, *tiny.random_prompt(rng, 9)] for n in tiny.text_tokens()[:8]]
    gate = Gated()
    with Core(tiny, n_ctx=512, n_parallel=9, partitioned=True, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 4), 1)
        gate.entered.wait()
        burst = [core.submit([*common, *tail], 8, params=ENDLESS) for tail in tails]
        gate.open()
        core.wait(first, *burst)
        assert core.stats()["n_prompt_tokens"] == 4 + 200 + 8 * 10
    for tail, result in zip(tails, burst, strict=True):
        with Core(tiny, n_ctx=512) as cold:
            assert cold.run([*common, *tail], 8, params=ENDLESS).tokens == result.tokens


def test_every_session_has_all_of_its_cells_at_once(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_parallel=3, partitioned=True) as core:
        results = [core.submit([n, 2, 3], -1, params=ENDLESS) for n in range(3)]
        core.wait()
        assert [(r.request.n_output, r.finish) for r in results] == 3 * [(253, LENGTH)]
        assert core.stats()["n_preempted"] == 0


def test_live_sequences_stay_together_and_what_was_parked_stays_known(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(3)
    prompts = [tiny.random_prompt(rng, 60) for _ in range(12)]
    gate = Gated()
    gate.open()
    with Core(tiny, n_ctx=256, n_parallel=8, partitioned=True, decoder=gate) as core:
        for pair in zip(prompts[::2], prompts[1::2], strict=True):
            core.wait(*[core.submit(prompt, 8, params=ENDLESS) for prompt in pair])
            core.checked_cells()
        again = [core.run(prompt, 8, params=ENDLESS) for prompt in prompts[-6:]]
        core.checked_cells()
    assert {row[2] for batch in gate.batches for row in batch} <= {0, 1}
    assert [result.request.n_cached for result in again] == 6 * [59]


@pytest.mark.parametrize("kind", ["packaged", "qwen2", "gemma3", "mamba"])
def test_every_architecture_says_what_it_says_in_a_pool(model_of: ModelOf, kind: str) -> None:
    model = model_of(kind)
    rng = np.random.default_rng(12)
    common = model.random_prompt(rng, 90)
    prompts = [[*common[:n], *model.random_prompt(rng, 5)] for n in (90, 70, 40, 90, 0, 33)]
    with Core(model, n_ctx=256, n_parallel=3, partitioned=True) as core:
        results = [core.submit(prompt, 24, params=ENDLESS) for prompt in [*prompts, *prompts]]
        core.wait()
    for prompt, result in zip([*prompts, *prompts], results, strict=True):
        with Core(model, n_ctx=256, n_parallel=1) as pool:
            assert pool.run(prompt, 24, params=ENDLESS).tokens == result.tokens


def test_random_requests_end_and_the_books_are_right(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_parallel=8, n_batch=128, n_ubatch=64, partitioned=True) as core:
        load = Load(core)
        load.run(300)
        core.checked_cells()
        assert core.scheduler.stats()["n_preempted"] == 0
    assert sum(load.ended.values()) == 300
