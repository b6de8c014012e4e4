"""Requests whose bucket is empty: they keep their slots, cost nothing, and lose nothing."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from llamabox._core.ratelimit import Bucket
from llamabox.params import GenerationParams
from tests.core import drafting
from tests.core.faults import Gated
from tests.core.kinds import ENDLESS, check_output, every_uncut
from tests.core.running import (
    CANCELLED,
    DEADLINE,
    LENGTH,
    Core,
    LoadedModel,
    Result,
    eventually,
)

SEEDED = GenerationParams(temperature=0.9, seed=7, ignore_eos=True)
NEVER = 0.001
"""Tokens per second: after the first token, none for a thousand seconds."""
NAP = 0.02


def sleepers(core: Core, n: int, **options: Any) -> list[Result]:
    """Requests that have put out their first token and wait for the next one."""
    results = [
        core.submit([i, 7, 9], 5, params=ENDLESS, bucket=Bucket(NEVER), **options) for i in range(n)
    ]
    eventually(lambda: core.scheduler.stats()["n_throttled"] == n, "all wait for their buckets")
    assert [result.request.n_output for result in results] == [1] * n
    return results


def test_while_all_wait_the_step_thread_sleeps_and_computes_nothing(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        sleepers(core, 4)
        n_steps = core.scheduler.stats()["n_steps"]
        started, n_sleeps = time.monotonic(), core.scheduler.stats()["n_sleeps"]
        eventually(lambda: core.scheduler.stats()["n_sleeps"] >= n_sleeps + 5, "it wakes up")
        n_slept = core.scheduler.stats()["n_sleeps"] - n_sleeps
        assert n_slept <= (time.monotonic() - started) / NAP + 2
        assert core.scheduler.stats()["n_steps"] == n_steps


def test_cancelling_ends_one_of_those_that_sleep(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        results = sleepers(core, 3)
        results[1].request.cancel()
        core.wait(results[1])
        assert (results[1].finish, results[1].request.n_output) == (CANCELLED, 1)
        assert [result.finish for result in results] == [0, CANCELLED, 0]


def test_a_deadline_passes_while_all_sleep(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        results = sleepers(core, 2, deadline_ns=10**9)
        core.wait(*results)
        assert [result.finish for result in results] == [DEADLINE] * 2


def test_closing_wakes_the_step_thread(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        results = sleepers(core, 4)
        core.close()
        core.drain()
        assert [result.finish for result in results] == [CANCELLED] * 4


def test_what_arrives_is_served_while_others_wait(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        waiting = sleepers(core, 3)
        served = core.run([1, 2, 3, 4], 20, params=ENDLESS)
        assert (served.finish, served.request.n_output) == (LENGTH, 20)
        assert [result.request.n_output for result in waiting] == [1] * 3
        assert core.scheduler.stats()["n_running"] == 3


def test_a_throttled_slot_has_no_rows(tiny: LoadedModel) -> None:
    gate = Gated()
    gate.open()
    with Core(tiny, decoder=gate) as core:
        sleepers(core, 2)
        n_batches = len(gate.batches)
        core.run([1, 2, 3, 4], 20, params=ENDLESS)
        later = gate.batches[n_batches:]
        assert len(later) == 20
        assert all(len(batch) == 1 for batch in later[1:])


def test_a_prompt_is_computed_up_to_the_row_that_would_give_a_token(tiny: LoadedModel) -> None:
    bucket, rng = Bucket(NEVER), np.random.default_rng(1)
    with Core(tiny) as core:
        core.run([1, 2, 3], 1, params=ENDLESS, bucket=bucket)
        before = core.stats()["n_prompt_tokens"]
        late = core.submit(tiny.random_prompt(rng, 150), 4, params=ENDLESS, bucket=bucket)
        eventually(lambda: core.scheduler.stats()["n_throttled"] == 1, "it waits for a token")
        assert core.scheduler.stats()["n_prompt_tokens"] == before + 149
        assert late.request.n_output == 0
        late.request.cancel()
        core.wait()


def test_nobody_waits_for_the_last_token_of_a_throttled_prefix(tiny: LoadedModel) -> None:
    bucket, rng, gate = Bucket(NEVER), np.random.default_rng(2), Gated()
    prompt = tiny.random_prompt(rng, 100)
    with Core(tiny, decoder=gate) as core:
        first = core.submit([1, 2], 1, params=ENDLESS, bucket=bucket)
        gate.step()
        gate.open()
        core.wait(first)
        leader = core.submit(prompt, 4, params=ENDLESS, bucket=bucket)
        follower = core.submit([*prompt, *tiny.random_prompt(rng, 20)], 4, params=ENDLESS)
        core.wait(follower)
        assert follower.request.n_output == 4
        assert leader.request.n_output == 0


def test_a_request_without_output_is_never_throttled(tiny: LoadedModel) -> None:
    bucket = Bucket(NEVER)
    with Core(tiny) as core:
        core.run([1, 2, 3], 1, params=ENDLESS, bucket=bucket)
        assert core.run([4, 5, 6, 7], 0, bucket=bucket).finish == LENGTH


def run_all(
    model: LoadedModel,
    buckets: list[Bucket | None],
    params: GenerationParams,
    n_predict: int = 40,
    **options: Any,
) -> list[tuple[list[int], Result]]:
    """Prompts, some of which have a beginning in common, and what came of them, each with one of
    the buckets."""
    rng = np.random.default_rng(11)
    common = model.random_prompt(rng, 60)
    prompts = [
        [*(common if i % 2 else []), *model.random_prompt(rng, 5 + 9 * i)]
        for i in range(len(buckets))
    ]
    with Core(model, **options) as core:
        results = [
            core.submit(
                prompt, n_predict, params=params.replace(seed=params.seed + i), bucket=bucket
            )
            for i, (prompt, bucket) in enumerate(zip(prompts, buckets, strict=True))
        ]
        core.wait()
        if options.get("n_cells"):
            core.checked_cells()
            assert core.stats()["n_preempted"] > 0
        return list(zip(prompts, results, strict=True))


def outputs(
    model: LoadedModel, buckets: list[Bucket | None], params: GenerationParams, **options: Any
) -> list[list[int]]:
    return [result.tokens for _, result in run_all(model, buckets, params, **options)]


@pytest.mark.parametrize("params", [ENDLESS, SEEDED], ids=["greedy", "seeded"])
@pytest.mark.parametrize("partitioned", [False, True])
def test_throttling_changes_no_token(
    tiny: LoadedModel, params: GenerationParams, partitioned: bool
) -> None:
    shared = Bucket(700)
    buckets = [Bucket(200), None, shared, shared, Bucket(1500), shared, None, Bucket(90)]
    free = outputs(tiny, [None] * 8, params, partitioned=partitioned)
    assert outputs(tiny, list(buckets), params, partitioned=partitioned) == free


@every_uncut
def test_throttling_changes_no_token_where_memories_cannot_be_cut(
    model_of: Callable[[str], LoadedModel], name: str
) -> None:
    model, shared = model_of(name), Bucket(900)
    buckets = [Bucket(300), None, shared, shared, Bucket(1500), shared]
    for prompt, result in run_all(model, list(buckets), ENDLESS):
        check_output(model, prompt, result)


@pytest.mark.parametrize("n_spare_bytes", [0, 64 << 20])
def test_throttled_requests_survive_a_small_pool(tiny: LoadedModel, n_spare_bytes: int) -> None:
    one, another = Bucket(1500), Bucket(1500)
    buckets = [one, another, another, one] * 2
    free = outputs(tiny, [None] * 8, ENDLESS, n_predict=100)
    options = {"n_cells": 260, "n_predict": 100, "n_spare_bytes": n_spare_bytes}
    assert outputs(tiny, list(buckets), ENDLESS, **options) == free


def test_choices_share_a_bucket_and_give_the_same(tiny: LoadedModel) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(5), 70)
    with Core(tiny) as core:
        alone = core.run(prompt, 20, params=ENDLESS)
        results = core.submit_alike(prompt, 4, n_predict=20, params=ENDLESS, bucket=Bucket(1000))
        core.wait()
        assert [result.tokens for result in results] == [alone.tokens] * 4


def test_sharers_are_served_in_turn_and_never_above_the_rate(tiny: LoadedModel) -> None:
    """By the rows of each sequence: while all of them run, none is two tokens ahead of another."""
    gate, bucket, rate = Gated(), Bucket(500), 500
    with Core(tiny, n_parallel=7, decoder=gate) as core:
        first = core.submit([100], 1, params=ENDLESS)
        gate.entered.wait()
        results = [core.submit([i, 5], 30, params=ENDLESS, bucket=bucket) for i in range(6)]
        gate.open()
        core.wait(first, *results)
    served = [[row[2] for row in batch if row[3]] for batch in gate.batches[1:]]
    counts: Counter[int] = Counter(dict.fromkeys(itertools.chain(*served), 0))
    assert len(counts) == 6
    for sequences in served:
        counts.update(sequences)
        if max(counts.values()) < 30:
            assert max(counts.values()) - min(counts.values()) <= 1
    assert set(counts.values()) == {30}
    started = min(result.request.times[2] for result in results)
    ended = max(result.request.times[3] for result in results)
    # What comes by the end of a step counts at its beginning.
    assert 2 + rate * (ended - started) / 1e9 >= 6 * 30


def test_the_last_request_of_a_bucket_says_how_fast_it_fills(tiny: LoadedModel) -> None:
    bucket = Bucket(NEVER)
    with Core(tiny) as core:
        first = core.submit([1, 2, 3], 4, params=ENDLESS, bucket=bucket, tokens_per_second=NEVER)
        eventually(lambda: core.scheduler.stats()["n_throttled"] == 1, "it waits for a token")
        second = core.submit([4, 5], 4, params=ENDLESS, bucket=bucket, tokens_per_second=2000)
        core.wait(first, second)
    assert bucket.tokens_per_second == 2000
    assert (first.finish, second.finish) == (LENGTH, LENGTH)


def test_a_rate_that_the_machine_cannot_reach_throttles_nobody(tiny: LoadedModel) -> None:
    gate = Gated()
    gate.open()
    with Core(tiny, decoder=gate) as core:
        core.run([1, 2, 3], 50, params=ENDLESS, bucket=Bucket(1e6))
        assert len(gate.batches) == 50
        assert core.stats()["n_throttled"] == 0


def test_throttling_changes_no_drafted_token(tiny: LoadedModel) -> None:
    cases = drafting.random_cases(tiny, 60, seed=3)
    options = {"n_ctx": 512, "n_parallel": 4}
    plain = drafting.run_all(tiny, cases, drafts=False, **options)
    shared = Bucket(4000)
    for i, case in enumerate(cases):
        case.options["bucket"] = (Bucket(2000), shared, shared, None)[i % 4]
    drafted = drafting.run_all(tiny, cases, drafts=True, **options)
    plain.check_equal(drafted)
    assert drafted.stats["n_draft_accepted"] > 0


def test_a_draft_puts_out_no_more_than_the_bucket_has(tiny: LoadedModel) -> None:
    """The prompt repeats one token, and so does the output: all of a draft would be accepted."""
    params = ENDLESS.replace(logit_bias=((7, 100.0),))
    with Core(tiny, **drafting.DRAFTS) as core:
        free = core.run([7] * 30, 40, params=params, n_draft_max=8)
        assert free.request.n_draft_accepted > 0
        held = core.submit([7] * 30, 40, params=params, n_draft_max=8, bucket=Bucket(NEVER))
        eventually(lambda: core.scheduler.stats()["n_throttled"] == 1, "it waits for a token")
        assert held.request.n_output == 1
        held.request.cancel()
        core.wait()
