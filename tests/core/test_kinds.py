"""What a memory cannot cut (recurrent states, hybrids, sliding windows) is shared all the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.faults import Gated
from tests.core.kinds import (
    CELLS,
    ENDLESS,
    KINDS,
    N_TAIL,
    check_output,
    every_kind,
    every_uncut,
    in_both_layouts,
)
from tests.core.running import LENGTH, Core, Result, eventually


def burst(core: Core, gate: Gated, prompts: list[list[int]], n_predict: int = 8) -> list[Result]:
    """Requests that all arrive while one of a single token is computed."""
    first = core.submit([1], 1)
    gate.entered.wait()
    results = [core.submit(prompt, n_predict, params=ENDLESS) for prompt in prompts]
    gate.open()
    core.wait(first, *results)
    return results


@every_kind
def test_what_a_memory_can_do_is_asked_of_llama_cpp(model_of: ModelOf, name: str) -> None:
    with Core(model_of(name), n_ctx=2048) as core:
        assert core.context.kind == KINDS[name]
        assert core.context.is_recurrent == (name in ("mamba", "rwkv7"))


@pytest.mark.parametrize(("n_ctx", "swa_full"), [(2048, True), (256, False)])
def test_a_window_that_is_kept_in_full_is_an_ordinary_memory(
    model_of: ModelOf, n_ctx: int, swa_full: bool
) -> None:
    model = model_of("gemma3")
    prompt = model.random_prompt(np.random.default_rng(1), 150)
    with Core(model, n_ctx=n_ctx, n_parallel=6, swa_full=swa_full) as core:
        assert core.context.kind == CELLS
        core.run(prompt, 20, params=ENDLESS)
        for n_kept in (140, 90, 20):
            result = core.run([*prompt[:n_kept], 7, 8], 20, params=ENDLESS)
            assert result.request.n_cached == n_kept
            check_output(model, [*prompt[:n_kept], 7, 8], result)
        assert core.stats()["n_checkpoints"] == 0


@every_kind
@in_both_layouts
def test_a_burst_computes_its_common_prefix_once(
    model_of: ModelOf, name: str, partitioned: bool
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(2)
    common = model.random_prompt(rng, 200)
    prompts = [[*common, n, *model.random_prompt(rng, 9)] for n in model.text_tokens()[:8]]
    gate = Gated()
    with Core(model, n_ctx=4096, n_parallel=8, partitioned=partitioned, decoder=gate) as core:
        results = burst(core, gate, prompts)
        stats = core.stats()
    assert sorted(result.request.n_cached for result in results) == [0] + 7 * [200]
    assert stats["n_prompt_tokens"] == 1 + 200 + 8 * 10
    assert stats["n_preempted"] == 0
    for prompt, result in zip(prompts, results, strict=True):
        check_output(model, prompt, result)


@every_kind
@in_both_layouts
def test_a_burst_that_branches_twice_computes_each_part_once(
    model_of: ModelOf, name: str, partitioned: bool
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(3)
    trunk = model.random_prompt(rng, 100)
    branches = [[*trunk, n, *model.random_prompt(rng, 79)] for n in model.text_tokens()[:2]]
    prompts = [[*branch, n, 5, 6, 7] for branch in branches for n in model.text_tokens()[:3]]
    gate = Gated()
    with Core(
        model, n_ctx=4096, n_parallel=6, partitioned=partitioned, n_sequences=8, decoder=gate
    ) as core:
        results = burst(core, gate, prompts)
        stats = core.stats()
    assert sorted(result.request.n_cached for result in results) == [0, 100] + 4 * [180]
    assert stats["n_prompt_tokens"] == 1 + 100 + 2 * 80 + 6 * 4
    for prompt, result in zip(prompts, results, strict=True):
        check_output(model, prompt, result)


@every_kind
@in_both_layouts
def test_a_follower_joins_a_leader_that_is_already_on_its_way(
    model_of: ModelOf, name: str, partitioned: bool
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(4)
    common = model.random_prompt(rng, 200)
    gate = Gated()
    with Core(
        model, n_ctx=2048, partitioned=partitioned, n_batch=64, n_ubatch=64, decoder=gate
    ) as core:
        leader = core.submit([*common, 5], 4, params=ENDLESS)
        gate.step()
        gate.entered.wait()
        follower = core.submit([*common, 6, 7], 4, params=ENDLESS)
        gate.open()
        core.wait(leader, follower)
        assert follower.request.n_cached == 200
        assert core.stats()["n_prompt_tokens"] == 203
    check_output(model, [*common, 6, 7], follower)


@every_kind
@pytest.mark.parametrize("n_spare_bytes", [0, 64 << 20])
def test_preempted_requests_say_the_same(model_of: ModelOf, name: str, n_spare_bytes: int) -> None:
    model = model_of(name)
    rng = np.random.default_rng(5)
    prompts = [model.random_prompt(rng, int(n)) for n in rng.integers(40, 60, 8)]
    with Core(model, n_ctx=512, n_parallel=8, n_spare_bytes=n_spare_bytes) as core:
        results = [core.submit(prompt, 200, params=ENDLESS) for prompt in prompts]
        core.wait()
        assert core.stats()["n_preempted"] > 0
    for prompt, result in zip(prompts, results, strict=True):
        assert (result.finish, result.request.n_output) == (LENGTH, 200)
        check_output(model, prompt, result)


@every_kind
@in_both_layouts
@pytest.mark.parametrize("n_parallel", [1, 3])
def test_random_prompts_of_one_tree_say_the_same_warm_and_cold(
    model_of: ModelOf, name: str, partitioned: bool, n_parallel: int
) -> None:
    """Prompts leave one another at any point, on sequences that are too few and cells too."""
    model = model_of(name)
    rng = np.random.default_rng(12)
    prompts = [model.random_prompt(rng, 150)]
    while len(prompts) < 30:
        parent = prompts[rng.integers(len(prompts))]
        kept = parent[: rng.integers(1, len(parent) + 1)]
        prompts.append([*kept, *model.random_prompt(rng, int(rng.integers(1, 90)))][:300])
    options = {
        "n_parallel": n_parallel,
        "partitioned": partitioned,
        "checkpoint_step": 64,
        "n_ubatch": 32,
    }
    with Core(model, n_ctx=700, **options) as core:
        for prompt in prompts:
            core.run(prompt, 12, params=ENDLESS)
            core.checked_lengths()
        stats = core.stats()
        assert stats["n_cached_tokens"] == sum(r.request.n_cached for r in core.results) > 0
        n_prompt = sum(map(len, prompts))
        assert stats["n_cached_tokens"] + stats["n_prompt_tokens"] == n_prompt
        for prompt in prompts:
            core.submit(prompt, 12, params=ENDLESS)
        core.wait()
    for prompt, result in zip(2 * prompts, core.results, strict=True):
        check_output(model, prompt, result)


@every_kind
@in_both_layouts
def test_choices_of_one_prompt_compute_it_once(
    model_of: ModelOf, name: str, partitioned: bool
) -> None:
    model = model_of(name)
    prompt = model.random_prompt(np.random.default_rng(22), 100)
    gate = Gated()
    with Core(model, n_ctx=2048, n_parallel=4, partitioned=partitioned, decoder=gate) as core:
        results = burst(core, gate, 4 * [prompt])
        assert core.stats()["n_prompt_tokens"] == 1 + 100 + 3
    assert sorted(result.request.n_cached for result in results) == [0, 99, 99, 99]
    for result in results:
        check_output(model, prompt, result)


def test_sessions_that_share_a_long_prefix_do_not_run_out_of_window_cells(
    model_of: ModelOf,
) -> None:
    model = model_of("gemma3")
    rng = np.random.default_rng(13)
    common = model.random_prompt(rng, 600)
    prompts = [[*common, n] for n in model.text_tokens()[:4]]
    gate = Gated()
    with Core(model, n_ctx=4096, n_parallel=4, decoder=gate) as core:
        results = burst(core, gate, prompts, n_predict=150)
        assert core.stats()["n_preempted"] == 0
    assert sorted(result.request.n_cached for result in results) == [0, 600, 600, 600]
    for prompt, result in zip(prompts, results, strict=True):
        check_output(model, prompt, result)


@every_uncut
def test_who_cannot_catch_a_leader_any_more_does_not_wait_for_it(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    common = model.random_prompt(np.random.default_rng(21), 200)
    with Core(model, n_ctx=2048, n_parallel=2, n_checkpoints=0) as core:
        leader = core.submit([*common, *range(300)], -1, params=ENDLESS)

        def is_decoding() -> bool:
            core.drain()
            return leader.n_tokens > 0

        eventually(is_decoding, "the leader has its prompt behind it")
        follower = core.submit([*common[:100], 7], 4, params=ENDLESS)
        core.wait(follower)
        assert leader.finish == 0
        assert follower.request.n_cached == 0
        leader.request.cancel()
        core.wait()
    check_output(model, [*common[:100], 7], follower)


@every_kind
def test_requests_of_different_keys_share_nothing(model_of: ModelOf, name: str) -> None:
    model = model_of(name)
    prompt = model.random_prompt(np.random.default_rng(17), 150)
    with Core(model, n_ctx=2048) as core:
        for key, is_warm in ((1, False), (2, False), (0, False), (1, True), (2, True), (-1, False)):
            n_cached = core.run(prompt, 4, params=ENDLESS, key=key).request.n_cached
            assert n_cached >= 150 - N_TAIL if is_warm else n_cached == 0


@every_kind
def test_a_burst_of_two_keys_computes_its_prefix_once_for_each(
    model_of: ModelOf, name: str
) -> None:
    model = model_of(name)
    common = model.random_prompt(np.random.default_rng(18), 100)
    gate = Gated()
    with Core(model, n_ctx=2048, n_parallel=4, n_ubatch=512, decoder=gate) as core:
        first = core.submit([1], 1)
        gate.entered.wait()
        both = [core.submit([*common, n, 5], 4, key=n % 2) for n in model.text_tokens()[:4]]
        gate.open()
        core.wait(first, *both)
    assert sorted(result.request.n_cached for result in both) == [0, 0, 100, 100]
    assert len({sequence for _, _, sequence, _ in gate.batches[1]}) == 2


def test_a_cancelled_leaders_state_is_kept_for_those_who_wait(model_of: ModelOf) -> None:
    model = model_of("mamba")
    common = model.random_prompt(np.random.default_rng(19), 400)
    gate = Gated()
    with Core(model, n_ctx=2048, n_batch=64, decoder=gate) as core:
        leader = core.submit([*common, 5], 4, params=ENDLESS)
        gate.entered.wait()
        follower = core.submit([*common, 6], 4, params=ENDLESS)
        leader.request.cancel()
        gate.open()
        core.wait(leader, follower)
        eventually(lambda: core.stats()["n_running"] == 0, "the scheduler is idle")
        assert follower.request.n_cached == 64
    check_output(model, [*common, 6], follower)
