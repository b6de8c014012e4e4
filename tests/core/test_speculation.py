"""Outputs with drafts are those without, whatever ends, preempts or shifts them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from llamabox.params import GenerationParams
from tests.core.conftest import ModelOf
from tests.core.drafting import DRAFTS, N_DRAFT, Case, Run, random_cases, run_all, with_stops
from tests.core.faults import Failing, Gated, Row
from tests.core.running import EOG, GREEDY, LENGTH, STOP, Core, LoadedModel

ENDLESS = GREEDY.replace(ignore_eos=True)


def run_both(model: LoadedModel, cases: list[Case], **options: Any) -> tuple[Run, Run]:
    """Without drafts and with them; the outputs are the same."""
    plain = run_all(model, cases, drafts=False, **options)
    drafted = run_all(model, cases, drafts=True, **options)
    plain.check_equal(drafted)
    return plain, drafted


@pytest.mark.parametrize("partitioned", [False, True])
def test_same_output(tiny: LoadedModel, partitioned: bool) -> None:
    cases = random_cases(tiny, 500, seed=int(partitioned))
    plain, _ = run_both(tiny, cases, n_ctx=256, n_parallel=3, partitioned=partitioned)
    finished = {result.finish for result in plain.results}
    assert finished >= {EOG, LENGTH}


@pytest.mark.parametrize("partitioned", [False, True])
def test_same_end_with_stop_strings(tiny: LoadedModel, partitioned: bool) -> None:
    cases = random_cases(tiny, 500, seed=10 + partitioned)
    options = {"n_ctx": 256, "n_parallel": 3, "partitioned": partitioned}
    plain = run_all(tiny, cases, drafts=False, **options)
    stopped, _ = run_both(tiny, with_stops(cases, plain.results, seed=1), **options)
    assert sum(result.finish == STOP for result in stopped.results) > 200


def test_same_output_where_cells_run_short(tiny: LoadedModel) -> None:
    cases = random_cases(tiny, 500, seed=20, n_prompt=60, n_predict=200, endless=True)
    _, drafted = run_both(tiny, cases, n_ctx=280, n_parallel=4, n_spare_bytes=1 << 16)
    assert drafted.stats["n_preempted"] > 0


@pytest.mark.parametrize("partitioned", [False, True])
def test_same_output_of_shifted_contexts(tiny: LoadedModel, partitioned: bool) -> None:
    cases = random_cases(tiny, 500, seed=30 + partitioned, n_predict=120)
    for i, case in enumerate(cases):
        # Nobody shares a prefix: cells that others use too are computed again by a shift.
        case.prompt[0] = i
        case.options.update(n_ctx=64, context_shift=True, n_keep=i % 5)
    n_ctx = 64 if partitioned else 400
    _, drafted = run_both(tiny, cases, n_ctx=n_ctx, n_parallel=3, partitioned=partitioned)
    assert drafted.stats["n_shifts"] > 200


@pytest.mark.parametrize("partitioned", [False, True])
def test_same_output_of_a_sliding_window(model_of: ModelOf, partitioned: bool) -> None:
    model = model_of("gemma3")
    cases = random_cases(model, 500, seed=40, n_predict=80)
    run_both(model, cases, n_ctx=512, n_parallel=3, n_ubatch=16, partitioned=partitioned)


@pytest.mark.parametrize("partitioned", [False, True])
def test_rows_of_a_slot_are_computed_at_once_in_a_sliding_window(
    model_of: ModelOf, partitioned: bool
) -> None:
    """The second part of a step may take cells that rows of its first part attend to."""
    model = model_of("gemma3")
    gate = Gated()
    gate.open()
    sizes = {"n_ctx": 512, "n_parallel": 3, "n_batch": 64, "n_ubatch": 16}
    with drafted_core(model, decoder=gate, partitioned=partitioned, **sizes) as core:
        for case in random_cases(model, 20, seed=7, n_prompt=100, n_predict=80):
            case.submit(core, N_DRAFT)
        core.wait()
        assert core.stats()["n_draft_accepted"] > 50
    for batch in gate.batches:
        assert len(batch) <= 16
        counts = [len(list(rows)) for _, rows in itertools.groupby(row[2] for row in batch)]
        assert not partitioned or len({n for n in counts if n > 1}) <= 1


def drafted_core(model: LoadedModel, **options: Any) -> Core:
    core = Core(model, **DRAFTS, **options)
    core.scheduler.speculation.lengths.costs.fix(1.0)
    return core


@pytest.mark.parametrize("kind", ["mamba", "jamba"])
def test_states_are_never_drafted_for(model_of: ModelOf, kind: str) -> None:
    with drafted_core(model_of(kind)) as core:
        core.run([1, 2, 3] * 10, 12, params=ENDLESS, n_draft_max=N_DRAFT)
        assert core.stats()["n_drafted"] == 0


def test_the_end_of_generation_inside_a_draft(tiny: LoadedModel) -> None:
    end = tiny.vocab.end_of_generation[0]
    params = GREEDY.replace(logit_bias=((end, 1000.0),))
    with drafted_core(tiny) as core:
        for _ in range(2):
            result = core.run([7, end] * 8 + [7], 30, params=params, n_draft_max=N_DRAFT)
            assert (result.finish, result.tokens) == (EOG, [end])
        # The second one's prompt is there but for one token, so it decodes at once.
        stats = core.stats()
        assert stats["n_drafted"] == result.request.n_drafted == N_DRAFT
        assert stats["n_output_tokens"] == 2
        assert core.checked_lengths()[0] == 17


def loop(model: LoadedModel, core: Core, n_predict: int, **options: Any) -> Any:
    """An output that says one token all the time, to a prompt that does."""
    params = ENDLESS.replace(logit_bias=((9, 1000.0),))
    return core.run([9] * 8, n_predict, params=params, n_draft_max=N_DRAFT, **options)


@pytest.mark.parametrize("n_predict", [1, 2, 3, 7, 8, 20])
def test_an_output_ends_inside_a_draft(tiny: LoadedModel, n_predict: int) -> None:
    with drafted_core(tiny, n_parallel=1) as core:
        result = loop(tiny, core, n_predict)
        assert result.tokens == [9] * n_predict
        stats = core.stats()
        assert stats["n_output_tokens"] == n_predict == result.n_tokens
        assert stats["n_draft_accepted"] == stats["n_drafted"] == n_predict - stats["n_steps"]
        # The last token is known and not computed, as without drafts.
        assert core.checked_lengths() == [8 + n_predict - 1]
        assert stats["inter_token"][1] is not None
        assert sum(stats["inter_token"][1]) == n_predict - 1
        assert sum(stats["first_token"][1]) == 1


def test_the_context_ends_inside_a_draft(tiny: LoadedModel) -> None:
    with drafted_core(tiny, n_parallel=1, n_ctx=256) as core:
        result = loop(tiny, core, 500, n_ctx=30)
        assert (result.finish, result.n_tokens) == (LENGTH, 22)


def test_a_stop_string_ends_inside_a_draft(tiny: LoadedModel) -> None:
    piece = tiny.vocab.piece(9)
    with drafted_core(tiny, n_parallel=1) as core:
        result = loop(tiny, core, 50, stops=[piece * 11], n_probs=1)
        assert (result.finish, result.n_tokens, result.text) == (STOP, 11, b"")
        assert len(result.probs) == 11
        assert core.stats()["n_output_tokens"] == 11
        assert core.checked_lengths() == [8 + 10]


def test_one_event_tells_of_all_tokens_of_a_step(tiny: LoadedModel) -> None:
    with drafted_core(tiny, n_parallel=1) as core:
        result = loop(tiny, core, 40)
        n_steps = core.stats()["n_steps"]
        assert result.n_events <= n_steps < 20
        assert result.text == tiny.vocab.piece(9) * 40


@pytest.mark.parametrize(("n_draft_max", "n_draft_min"), [(0, 0), (3, 4)])
def test_a_request_may_have_no_drafts(
    tiny: LoadedModel, n_draft_max: int, n_draft_min: int
) -> None:
    with drafted_core(tiny) as core:
        core.run([9] * 8, 20, params=ENDLESS, n_draft_max=n_draft_max, n_draft_min=n_draft_min)
        assert core.stats()["n_drafted"] == 0


def test_rows_of_a_step(tiny: LoadedModel) -> None:
    """Drafts follow their slot's row as output rows, within their bounds, and a prompt gets its
    chunk beside them."""
    gate = Gated()
    params = ENDLESS.replace(logit_bias=((9, 1000.0),))
    sizes = {"n_parallel": 3, "n_batch": 24, "n_ubatch": 16, "n_chunk": 8}
    with drafted_core(tiny, decoder=gate, **sizes) as core:
        for first in (1, 2):
            core.submit([first, *[9] * 8], 60, params=params, n_draft_max=16)
        for _ in range(4):
            gate.step()
        core.submit(tiny.random_prompt(np.random.default_rng(1), 100), 1, params=params)
        gate.open()
        core.wait()
    held = dict.fromkeys(range(3), 0)
    n_mixed = 0
    for batch in gate.batches:
        assert len(batch) <= 24
        drafts = 0
        for sequence in {row[2] for row in batch}:
            rows = [row for row in batch if row[2] == sequence]
            first = rows[0][1]
            assert [row[1] for row in rows] == list(range(first, first + len(rows)))
            assert first <= held[sequence]
            held[sequence] = first + len(rows)
            n_outputs = sum(is_output for *_, is_output in rows)
            assert all(is_output for *_, is_output in rows[len(rows) - n_outputs :])
            drafts += max(0, n_outputs - 1)
        n_prompt = sum(not is_output for *_, is_output in batch)
        n_mixed += drafts > 0 and n_prompt >= 8
        assert drafts <= 24
    assert n_mixed > 1


def test_without_room_it_goes_on_without_drafts(tiny: LoadedModel) -> None:
    decoder = Failing(1, at={6, 9})
    with drafted_core(tiny, decoder=decoder, n_parallel=1) as core:
        result = loop(tiny, core, 60)
        stats = core.stats()
        assert result.tokens == [9] * 60
        assert stats["n_preempted"] == 0
        assert len(decoder.failed) == 2
        core.checked_cells()


def test_a_long_prompt_is_indexed_in_slices(tiny: LoadedModel) -> None:
    """What its beginning says is drafted once all of it is indexed."""
    rng = np.random.default_rng(3)
    prompt = [9] * 3 + tiny.random_prompt(rng, 900)
    with drafted_core(tiny, n_ctx=1200, n_parallel=2, n_batch=1024) as core:
        params = ENDLESS.replace(logit_bias=((9, 1000.0),))
        result = core.run(prompt, 60, params=params, n_draft_max=N_DRAFT)
        assert result.tokens == [9] * 60
        assert core.stats()["n_draft_accepted"] > 30


def decode_rows(batches: list[list[Row]]) -> int:
    return sum(len(batch) for batch in batches[1:])


def test_text_that_does_not_repeat_costs_no_rows(tiny: LoadedModel) -> None:
    """It is seen that predictions fail without computing what they predict."""
    gate = Gated()
    gate.open()
    params = GenerationParams(
        temperature=5.0, top_k=0, top_p=1.0, min_p=0.0, seed=1, ignore_eos=True
    )
    with Core(tiny, decoder=gate, n_parallel=1, n_batch=1024, **DRAFTS) as core:
        core.scheduler.speculation.lengths.costs.fix(*[1 + n / 2 for n in range(20)])
        prompt = tiny.random_prompt(np.random.default_rng(4), 800)
        core.run(prompt, 200, params=params, n_draft_max=N_DRAFT)
    assert decode_rows(gate.batches) < 1.03 * 199
