"""A pool that runs dry costs someone time, and nobody any output."""

from __future__ import annotations

import numpy as np

from tests.core.running import EOG, GREEDY, LENGTH, Core, LoadedModel, Result

ENDLESS = GREEDY.replace(ignore_eos=True)
PENALISED = ENDLESS.replace(repeat_penalty=1.3, frequency_penalty=0.2, repeat_last_n=32)
SEEDED = ENDLESS.replace(temperature=1.0, seed=77, top_k=0, top_p=1.0, min_p=0.0)


def outputs(core: Core, prompts: list[list[int]], together: bool) -> list[Result]:
    for i, prompt in enumerate(prompts):
        core.submit(prompt, 150, params=(ENDLESS, PENALISED, SEEDED)[i % 3], stops=[b"zzzz"])
        if not together:
            core.wait()
    core.wait()
    return core.results


def test_requests_on_a_dry_pool_complete_in_full_with_an_unpressed_runs_output(
    tiny: LoadedModel,
) -> None:
    rng = np.random.default_rng(21)
    prompts = [tiny.random_prompt(rng, int(n)) for n in rng.integers(1, 60, 24)]
    with Core(tiny, n_ctx=4096, n_parallel=1) as core:
        unpressed = outputs(core, prompts, together=False)
    with Core(tiny, n_ctx=512, n_parallel=8) as core:
        pressed = outputs(core, prompts, together=True)
        stats = core.stats()
        assert core.checked_cells() == stats["n_cells_used"] <= 512
    assert stats["n_preempted"] > 0
    assert stats["n_output_tokens"] == 24 * 150
    for mine, theirs in zip(pressed, unpressed, strict=True):
        assert (mine.tokens, mine.text, mine.finish) == (theirs.tokens, theirs.text, theirs.finish)
        assert mine.finish == LENGTH
        assert mine.n_tokens == 150


def test_a_preempted_requests_own_numbers_count_it_once(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(22)
    with Core(tiny, n_ctx=256, n_parallel=8) as core:
        for _ in range(12):
            core.submit(tiny.random_prompt(rng, 20), 200, params=ENDLESS)
        core.wait()
        stats = core.stats()
        assert stats["n_preempted"] > 0
        assert sum(stats["queue_time"][1]) == sum(stats["first_token"][1]) == 12
        assert all(r.request.n_cached <= r.request.n_prompt - 1 for r in core.results)
        assert stats["n_requests"]["length"] == 12


def test_two_requests_that_each_want_the_whole_pool_both_get_it(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_parallel=2) as core:
        both = [core.submit([i, 2, 3], -1, params=ENDLESS) for i in range(2)]
        core.wait()
        assert [result.request.n_output for result in both] == [253, 253]


def test_a_long_prompt_evicts_parked_prefixes_only(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(23)
    with Core(tiny, n_ctx=256, n_parallel=4) as core:
        for _ in range(4):
            core.run(tiny.random_prompt(rng, 50), 4, params=ENDLESS)
        used = core.stats()["n_cells_used"]
        assert used == 4 * 53
        assert core.run(tiny.random_prompt(rng, 240), 4).finish in (LENGTH, EOG)
        stats = core.stats()
        assert stats["n_preempted"] == 0
        assert core.checked_cells() == stats["n_cells_used"] <= 256


def test_fewer_cells_than_the_context_has_are_respected(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=512, n_cells=100, n_parallel=4) as core:
        for i in range(8):
            core.submit([i, 1, 2], 90, params=ENDLESS)
        core.wait()
        assert all(result.request.n_output == 90 for result in core.results)
        assert core.stats()["n_cells_used"] <= 100


def test_requests_are_admitted_in_their_order_of_arrival(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_parallel=2) as core:
        results = [core.submit([i, 1], 100, params=ENDLESS) for i in range(10)]
        core.wait()
        admitted = [result.request.times[1] for result in results]
        assert admitted == sorted(admitted)


def test_saved_cells_come_back_without_computing_anything_again(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(23)
    prompts = [tiny.random_prompt(rng, 20) for _ in range(16)]
    with Core(tiny, n_ctx=4096, n_parallel=1) as core:
        unpressed = outputs(core, prompts, together=False)
    with Core(tiny, n_ctx=512, n_parallel=8, n_spare_bytes=64 << 20) as core:
        pressed = outputs(core, prompts, together=True)
        stats = core.stats()
        core.checked_cells()
    assert stats["n_preempted"] > 0
    assert stats["n_prompt_tokens"] + stats["n_cached_tokens"] == 16 * 20
    assert [result.tokens for result in pressed] == [result.tokens for result in unpressed]


def test_too_little_ram_for_saved_cells_costs_only_time(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(24)
    with Core(tiny, n_ctx=256, n_parallel=8, n_spare_bytes=20_000) as core:
        results = [core.submit(tiny.random_prompt(rng, 20), 200, params=ENDLESS) for _ in range(12)]
        core.wait()
        assert core.stats()["n_preempted"] > 0
        assert [result.request.n_output for result in results] == 12 * [200]
