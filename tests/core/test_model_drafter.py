"""Drafts of a smaller model: they change how many forwards an output takes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llama_cpp
import numpy as np
import pytest

from llamabox._core.context import Context
from llamabox._core.lib import Library
from llamabox._core.model_drafter import ModelDrafter
from tests.core.conftest import ModelOf
from tests.core.faults import Failing, Gated
from tests.core.kinds import in_both_layouts
from tests.core.model_drafting import DraftedCore, Job, Outcome, outcome, random_jobs, run_jobs
from tests.core.running import CANCELLED, GREEDY, LENGTH, Core, LoadedModel

ENDLESS = GREEDY.replace(ignore_eos=True)
SAME, OTHER = "llama", "qwen2"
drafted_by_both = pytest.mark.parametrize("kind", [SAME, OTHER])
DRAFTING: dict[str, Any] = {"n_draft_max": 8}
ENDLESSLY: dict[str, Any] = {"params": ENDLESS, **DRAFTING}


def compare(
    model: LoadedModel,
    draft: LoadedModel,
    jobs: list[Job],
    *,
    check: Callable[[dict[str, Any]], None] = lambda stats: None,
    n_draft_cells: int | None = None,
    **options: Any,
) -> None:
    """The outputs of some requests are the same with and without drafts.

    :param check: of both statistics.
    :param options: of both cores.
    """
    plain = plain_outcomes(model, jobs, check=check, **options)
    with DraftedCore(model, draft, n_draft_cells=n_draft_cells, **options) as core:
        assert [outcome(result) for result in run_jobs(core, jobs)] == plain
        check(core.stats())
        core.checked_cells()
        core.draft_lengths()
        assert core.stats()["n_drafted"] > 0


def plain_outcomes(
    model: LoadedModel,
    jobs: list[Job],
    *,
    partitioned: bool = False,
    check: Callable[[dict[str, Any]], None] = lambda stats: None,
    **options: Any,
) -> list[Outcome]:
    """Of the same requests without drafts."""
    with Core(
        model, n_sequences=4 + partitioned, partitioned=partitioned, f32_cells=True, **options
    ) as core:
        outcomes = [outcome(result) for result in run_jobs(core, [job.plain() for job in jobs])]
        check(core.stats())
    return outcomes


@in_both_layouts
@drafted_by_both
def test_outputs_are_those_without_drafts(
    tiny: LoadedModel, model_of: ModelOf, kind: str, partitioned: bool
) -> None:
    jobs = random_jobs(tiny, 500, seed=5)
    compare(tiny, model_of(kind), jobs, partitioned=partitioned)


@drafted_by_both
def test_outputs_are_those_without_drafts_where_cells_run_short(
    tiny: LoadedModel, model_of: ModelOf, kind: str
) -> None:
    rng = np.random.default_rng(2)
    jobs = [
        Job(tiny.random_prompt(rng, 20), 200, {"params": ENDLESS}, {"n_draft_max": 6})
        for _ in range(60)
    ]

    def check(stats: dict[str, Any]) -> None:
        assert stats["n_preempted"] > 0

    compare(tiny, model_of(kind), jobs, n_cells=300, check=check)


@in_both_layouts
@drafted_by_both
def test_outputs_are_those_without_drafts_across_context_shifts(
    tiny: LoadedModel, model_of: ModelOf, kind: str, partitioned: bool
) -> None:
    rng = np.random.default_rng(3)
    jobs = [
        Job(
            tiny.random_prompt(rng, 20),
            150,
            {
                "params": ENDLESS.replace(temperature=float(rng.choice([0, 1])), seed=i),
                "n_ctx": 64,
                "context_shift": True,
                "n_keep": int(rng.choice([0, 10])),
            },
            {"n_draft_max": int(rng.choice([3, 16]))},
        )
        for i in range(60)
    ]

    def check(stats: dict[str, Any]) -> None:
        assert stats["n_shifts"] >= 60

    compare(tiny, model_of(kind), jobs, partitioned=partitioned, check=check)


@in_both_layouts
def test_a_model_that_drafts_for_itself_is_right(tiny: LoadedModel, partitioned: bool) -> None:
    rng = np.random.default_rng(4)
    with DraftedCore(tiny, tiny, partitioned=partitioned) as core:
        for _ in range(8):
            core.submit(tiny.random_prompt(rng, 50), 90, **ENDLESSLY)
        core.wait()
        stats = core.stats()
        assert stats["n_draft_accepted"] >= 0.98 * stats["n_drafted"]
        assert stats["n_drafted"] >= 0.8 * 8 * 90
        assert stats["n_steps"] < 8 * 90 / 4 / 3


def test_all_slots_are_drafted_for_in_one_batch_per_depth(tiny: LoadedModel) -> None:
    gate = Gated()
    gate.open()
    rng = np.random.default_rng(5)
    jobs = [Job(tiny.random_prompt(rng, 10), 60, {"params": ENDLESS}, DRAFTING) for _ in range(4)]
    with DraftedCore(tiny, tiny, draft_decoder=gate) as core:
        core.submit_together(jobs)
        core.wait()
    together = [rows for rows in gate.batches if len({row[2] for row in rows}) == 4]
    assert len(together) > 0.6 * len(gate.batches) > 20
    assert sum(map(len, gate.batches)) < 4 * (10 + 60) * 1.3


@in_both_layouts
@drafted_by_both
def test_outputs_are_those_without_drafts_where_lookup_drafts_too(
    tiny: LoadedModel, model_of: ModelOf, kind: str, partitioned: bool
) -> None:
    jobs = random_jobs(tiny, 60, seed=17)
    compare(tiny, model_of(kind), jobs, partitioned=partitioned, ngram_min=1)


def test_a_prefix_is_not_computed_twice(tiny: LoadedModel) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(6), 200)
    with DraftedCore(tiny, tiny) as core:
        first = core.run(prompt, 20, **ENDLESSLY)
        n_rows = core.drafter.n_rows
        assert 200 <= n_rows <= 200 + 2 * 20
        again = core.run(prompt, 20, **ENDLESSLY)
        assert again.tokens == first.tokens
        assert core.drafter.n_rows - n_rows <= 2 * 20
        longer = core.run([*prompt, *first.tokens, 5], 20, **ENDLESSLY)
        assert core.drafter.n_rows - n_rows <= 2 * 20 + 3 * 20
        assert len(longer.tokens) == 20


@in_both_layouts
def test_the_cells_are_those_of_the_output_whatever_was_guessed(
    tiny: LoadedModel, partitioned: bool
) -> None:
    gate = Gated()
    gate.open()
    rng = np.random.default_rng(16)
    params = GREEDY.replace(temperature=0.15, seed=3, ignore_eos=True)
    with DraftedCore(tiny, tiny, n_parallel=1, partitioned=partitioned, draft_decoder=gate) as core:
        prompt = tiny.random_prompt(rng, 30)
        result = core.run(prompt, 120, params=params, n_draft_max=8)
        (length,) = filter(None, core.draft_lengths())
    assert 0.05 < result.request.n_draft_accepted / result.request.n_drafted < 0.95
    computed = {row[1]: row[0] for rows in gate.batches for row in rows}
    known = [*prompt, *result.tokens]
    assert length > 100
    assert [computed[i] for i in range(length)] == known[:length]


def test_guesses_below_the_least_probability_are_not_drafted(tiny: LoadedModel) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(7), 20)
    with DraftedCore(tiny, tiny) as core:
        core.run(prompt, 40, params=ENDLESS, n_draft_max=8, draft_p_min=1.0)
        assert core.stats()["n_drafted"] == 0
        core.run(prompt, 40, params=ENDLESS, n_draft_max=8, draft_p_min=0.0)
        assert core.stats()["n_drafted"] > 0


def test_a_request_without_drafts_costs_the_draft_model_nothing(tiny: LoadedModel) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(8), 50)
    with DraftedCore(tiny, tiny) as core:
        core.run(prompt, 20, params=ENDLESS, n_draft_max=0)
        assert core.drafter.n_forwards == 0


def test_tokens_that_the_draft_model_lacks_are_neither_read_nor_drafted(
    tiny: LoadedModel,
) -> None:
    rng = np.random.default_rng(9)
    readable = [t for t in tiny.text_tokens() if t < 300]
    known = Job([int(t) for t in rng.choice(readable, 20)], 40, {"params": ENDLESS}, {})
    foreign = Job([*known.prompt, 400, 5], 40, {"params": ENDLESS}, {})
    plain = plain_outcomes(tiny, [known, foreign])
    with DraftedCore(tiny, tiny, n_readable=300) as core:
        results = [core.run(job.prompt, 40, **ENDLESSLY) for job in (known, foreign)]
        assert [outcome(result) for result in results] == plain
        assert results[1].request.n_drafted == 0


def test_a_request_that_the_draft_model_has_no_room_for_goes_on_without(
    tiny: LoadedModel,
) -> None:
    jobs = random_jobs(tiny, 40, seed=10)
    compare(tiny, tiny, jobs, n_draft_cells=64)


@pytest.mark.parametrize("code", [1, 2, -1, -3])
@in_both_layouts
def test_a_failure_of_the_draft_model_costs_no_request_anything(
    tiny: LoadedModel, code: int, partitioned: bool
) -> None:
    jobs = random_jobs(tiny, 24, seed=11)
    plain = plain_outcomes(tiny, jobs, partitioned=partitioned)
    failing = Failing(code, set(range(3, 200, 5)))
    with DraftedCore(tiny, tiny, partitioned=partitioned, draft_decoder=failing) as core:
        drafted = [outcome(result) for result in run_jobs(core, jobs)]
        assert drafted == plain
        assert len(failing.failed) >= 3
        core.draft_lengths()


def test_a_failure_ends_drafting_for_the_requests_of_its_batch_alone(tiny: LoadedModel) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(13), 20)
    failing = Failing(-3, {4})
    with DraftedCore(tiny, tiny, draft_decoder=failing) as core:
        hit = core.run(prompt, 60, **ENDLESSLY)
        assert failing.n_calls == 5
        assert hit.finish == LENGTH
        core.run(prompt, 60, **ENDLESSLY)
        assert failing.n_calls > 10


def test_the_scheduler_closes_while_the_draft_model_computes(tiny: LoadedModel) -> None:
    gate = Gated()
    rng = np.random.default_rng(14)
    with DraftedCore(tiny, tiny, draft_decoder=gate) as core:
        results = [core.submit(tiny.random_prompt(rng, 10), 500, **ENDLESSLY) for _ in range(6)]
        for _ in range(30):
            gate.step()
        core.scheduler.close()
        gate.open()
        core.close()
        core.drain()
        assert {result.finish for result in results} <= {CANCELLED}
        core.draft_lengths()


def test_a_prompt_is_followed_in_chunks_beside_requests_that_decode(tiny: LoadedModel) -> None:
    gate = Gated()
    gate.open()
    rng = np.random.default_rng(15)
    with DraftedCore(tiny, tiny, draft_decoder=gate) as core:
        busy = core.submit(tiny.random_prompt(rng, 5), 300, **ENDLESSLY)
        while busy.request.n_output < 20:
            core.drain()
        n_before = len(gate.batches)
        long = core.run(tiny.random_prompt(rng, 600), 30, **ENDLESSLY)
        core.wait()
        assert max(len(rows) for rows in gate.batches[n_before:]) <= 64 + 2 * 32
        assert long.request.n_draft_accepted > 0


def test_memories_that_cannot_be_cut_do_not_draft(model_of: ModelOf) -> None:
    mamba = model_of("mamba")
    address = mamba.new_context(64, 1, 64, 64)
    try:
        with pytest.raises(ValueError, match="cut"):
            ModelDrafter(
                Context(Library(llama_cpp), address),
                mamba.vocab,
                mamba.n_vocab,
                1,
                64,
            )
    finally:
        llama_cpp.llama_free(address)
