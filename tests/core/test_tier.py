"""Evicted prefixes come back from RAM and from files, with the same output as when computed."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.kinds import CELLS, ENDLESS, KINDS, check_output, in_both_layouts
from tests.core.running import CANCELLED, HANG, Core, LoadedModel, SecondTier

N_BLOCK = 32
KINDS_OF_CELLS = [name for name, kind in KINDS.items() if kind == CELLS]

SETTINGS = list(itertools.product([False, True], [False, True], [False, True]))
everywhere = pytest.mark.parametrize(("partitioned", "flash", "on_disk"), SETTINGS)


def tier_of(core: Core) -> dict[str, int]:
    stats = core.stats()
    return {name.removeprefix("n_tier_"): n for name, n in stats.items() if "_tier_" in name}


@pytest.mark.parametrize("name", KINDS_OF_CELLS)
@everywhere
def test_evicted_prompts_come_back_with_the_same_output(
    model_of: ModelOf, name: str, *, partitioned: bool, flash: bool, on_disk: bool, tmp_path: Path
) -> None:
    model = model_of(name)
    rng = np.random.default_rng(1)
    prompts = [model.random_prompt(rng, 300) for _ in range(4)]
    options = {
        "n_ctx": 512,
        "n_parallel": 1,
        "partitioned": partitioned,
        "flash_attention": flash,
    }
    with contextlib.ExitStack() as cores:
        core = cores.enter_context(Core(model, second=SecondTier(folder=tmp_path), **options))
        first = [core.run(prompt, 20, params=ENDLESS) for prompt in prompts]
        if on_disk:
            core.close()
            core = cores.enter_context(Core(model, second=SecondTier(folder=tmp_path), **options))
        core.all_known()
        again = [core.run(prompt, 20, params=ENDLESS) for prompt in prompts]
        assert tier_of(core)["hits"] >= 3
        core.checked_lengths()
    assert [result.request.n_cached for result in first] == [0] * 4
    assert [result.request.n_cached for result in again] == [299] * 4
    assert [result.tokens for result in again] == [result.tokens for result in first]
    if not flash:
        for prompt, result in zip(prompts, again, strict=True):
            check_output(model, prompt, result)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind != CELLS])
def test_memories_that_cannot_be_cut_have_no_second_tier(model_of: ModelOf, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        Core(model_of(name), n_ctx=2048, second=SecondTier())


@in_both_layouts
def test_a_window_that_is_kept_whole_is_saved_in_blocks_within_it(
    model_of: ModelOf, partitioned: bool
) -> None:
    model = model_of("gemma3")
    rng = np.random.default_rng(2)
    prompts = [model.random_prompt(rng, 200) for _ in range(3)]
    second = SecondTier(n_block=16)
    with Core(
        model, n_ctx=512, n_parallel=1, swa_full=True, partitioned=partitioned, second=second
    ) as core:
        first = [core.run(prompt, 20, params=ENDLESS) for prompt in prompts]
        again = [core.run(prompt, 20, params=ENDLESS) for prompt in prompts]
    n_cached = [result.request.n_cached for result in again]
    assert n_cached == ([0, 0, 0] if partitioned else [199] * 3)
    assert [result.tokens for result in again] == [result.tokens for result in first]


@in_both_layouts
def test_a_common_prefix_is_kept_once(tiny: LoadedModel, partitioned: bool) -> None:
    rng = np.random.default_rng(3)
    common = tiny.random_prompt(rng, 1000)
    prompts = [[*common, *tiny.random_prompt(rng, 200)] for _ in range(2)]
    with Core(tiny, n_ctx=1536, n_parallel=1, partitioned=partitioned, second=SecondTier()) as core:
        for prompt in prompts:
            core.run(prompt, 1)
            core.run(tiny.random_prompt(rng, 20), 1)
            core.run(tiny.random_prompt(rng, 20), 1)
        n_saved = tier_of(core)["saved_tokens"]
        again = [core.run(prompt, 1) for prompt in prompts]
    shared = 1000 // N_BLOCK * N_BLOCK
    assert n_saved - shared == 2 * (1200 - shared) + 4 * 20
    assert [result.request.n_cached for result in again] == [1199] * 2


@in_both_layouts
def test_ram_keeps_to_its_bound_and_what_was_used_longest_ago_goes(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(4)
    a, b, c, d = (tiny.random_prompt(rng, 320) for _ in range(4))
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=SecondTier()) as core:
        core.run(a, 1)
        core.run(b, 1)
        core.run(c, 1)
        each = tier_of(core)["bytes"] // tier_of(core)["blocks"] * 10
    limit = each * 5 // 2
    options = {"n_ctx": 512, "n_parallel": 1, "partitioned": partitioned}
    with Core(tiny, second=SecondTier(limit), **options) as core:
        for prompt in (a, b, a, c, a, d, a):
            result = core.run(prompt, 1)
            core.all_saved()
            assert tier_of(core)["bytes"] <= limit
        assert result.request.n_cached == 319
        assert core.run(b, 1).request.n_cached < 320 - N_BLOCK
        core.all_saved()
        assert tier_of(core)["bytes"] > limit // 2


@in_both_layouts
def test_prompts_longer_than_the_ram_come_back_in_part(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(5)
    a, b = (tiny.random_prompt(rng, 640) for _ in range(2))
    with Core(
        tiny, n_ctx=1024, n_parallel=1, partitioned=partitioned, second=SecondTier(200_000)
    ) as core:
        first = core.run(a, 20, params=ENDLESS)
        core.run(b, 1)
        core.run(tiny.random_prompt(rng, 20), 1)
        again = core.run(a, 20, params=ENDLESS)
        assert tier_of(core)["bytes"] <= 200_000
    assert again.tokens == first.tokens


@in_both_layouts
def test_overflow_goes_to_disk_and_comes_back_through_ram(
    tiny: LoadedModel, partitioned: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    prompts = [tiny.random_prompt(rng, 320) for _ in range(8)]
    second = SecondTier(250_000, tmp_path)
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=second) as core:
        first = []
        for prompt in prompts:
            first.append(core.run(prompt, 10, params=ENDLESS))
            core.all_saved()
        for _ in range(2):
            for prompt, result in zip(prompts, first, strict=True):
                again = core.run(prompt, 10, params=ENDLESS)
                assert again.request.n_cached == 319
                assert again.tokens == result.tokens
        tier = tier_of(core)
        assert tier["bytes"] <= 250_000
        assert tier["disk_bytes"] > 2 * tier["bytes"]


@in_both_layouts
def test_several_requests_use_one_prefix_at_once_and_it_stays(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(7)
    common = tiny.random_prompt(rng, 300)
    prompts = [[*common, *tiny.random_prompt(rng, 10)] for _ in range(4)]
    with Core(tiny, n_ctx=2048, n_parallel=4, partitioned=partitioned, second=SecondTier()) as core:
        core.run(common, 1)
        for _ in range(2):
            others = [core.submit(tiny.random_prompt(rng, 50), 30) for _ in range(10)]
            core.wait(*others)
            results = [core.submit(prompt, 20, params=ENDLESS) for prompt in prompts]
            core.wait(*results)
            assert all(result.request.n_cached >= 300 for result in results)
            for prompt, result in zip(prompts, results, strict=True):
                check_output(tiny, prompt, result)


@in_both_layouts
def test_prefixes_of_other_keys_are_not_found(tiny: LoadedModel, partitioned: bool) -> None:
    rng = np.random.default_rng(8)
    prompt = tiny.random_prompt(rng, 200)
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=SecondTier()) as core:
        core.run(prompt, 1, key=1)
        for _ in range(2):
            core.run(tiny.random_prompt(rng, 50), 1)
        assert core.run(prompt, 1, key=2).request.n_cached == 0
        for _ in range(2):
            core.run(tiny.random_prompt(rng, 50), 1)
        assert core.run(prompt, 1, key=1).request.n_cached == 199


@in_both_layouts
def test_short_prefixes_are_not_saved(tiny: LoadedModel, partitioned: bool) -> None:
    rng = np.random.default_rng(9)
    with Core(
        tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=SecondTier(min_tokens=100)
    ) as core:
        for n in (99, 99, 99, 120, 20, 20):
            core.run(tiny.random_prompt(rng, n), 1)
        assert tier_of(core)["saved_tokens"] == 120


@in_both_layouts
def test_a_prompt_that_leaves_a_saved_one_takes_what_is_common(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(10)
    prompt = tiny.random_prompt(rng, 300)
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=SecondTier()) as core:
        core.run(prompt, 1)
        for n in (299, 250, 131, 64, 33):
            for _ in range(2):
                core.run(tiny.random_prompt(rng, 40), 1)
            branch = [*prompt[:n], *tiny.random_prompt(rng, 30)]
            result = core.run(branch, 10, params=ENDLESS)
            assert n <= result.request.n_cached <= n + 1
            check_output(tiny, branch, result)


@in_both_layouts
def test_a_conversation_keeps_no_block_that_another_covers(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(11)
    turns = tiny.random_prompt(rng, 20)
    with Core(tiny, n_ctx=1024, n_parallel=1, partitioned=partitioned, second=SecondTier()) as core:
        for _ in range(12):
            result = core.run(turns, 20, params=ENDLESS)
            turns = [*turns, *result.tokens, *tiny.random_prompt(rng, 7)]
            for _ in range(2):
                core.run(tiny.random_prompt(rng, 5), 1)
        n_blocks = tier_of(core)["blocks"]
    assert n_blocks <= -(-len(turns) // N_BLOCK) + 24


def test_shifted_cells_are_not_saved(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(12)
    prompt = tiny.random_prompt(rng, 200)
    with Core(tiny, n_ctx=256, n_parallel=1, second=SecondTier()) as core:
        core.run(prompt, 300, params=ENDLESS, context_shift=True, n_keep=40)
        core.run(tiny.random_prompt(rng, 100), 1)
        assert tier_of(core)["saved_tokens"] <= 40 + 100
        again = core.run(prompt, 20, params=ENDLESS)
        assert again.request.n_cached <= 40
        check_output(tiny, prompt, again)


@in_both_layouts
def test_preempted_requests_go_on_and_their_prefixes_are_right(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(13)
    prompts = [tiny.random_prompt(rng, 120) for _ in range(12)]
    with Core(tiny, n_ctx=512, n_parallel=6, partitioned=partitioned, second=SecondTier()) as core:
        for _ in range(2):
            results = [core.submit(prompt, 150, params=ENDLESS) for prompt in prompts]
            core.wait(*results)
            for prompt, result in zip(prompts, results, strict=True):
                check_output(tiny, prompt, result)
        stats = core.stats()
        assert partitioned or stats["n_preempted"] > 0
        assert stats["n_tier_hits"] > 0
        core.checked_lengths()


class Slow:
    """Files that do nothing of one kind before they are let."""

    def __init__(self) -> None:
        self.kind = "read"
        self.may_go = threading.Event()
        self.is_at_it = threading.Event()
        self.fails = False
        self.n_jobs = 0
        self._digests = 0

    def scan(self) -> Iterator[None]:
        yield None

    def take_gone(self) -> list[int]:
        return []

    def do(self, job: object) -> bool:
        self.n_jobs += 1
        if job.kind == "write":
            self._digests += 1
            job.file = self._digests
            return True
        if job.kind == self.kind:
            self.is_at_it.set()
            self.may_go.wait(HANG)
        if self.fails:
            raise RuntimeError("a fault in the worker")
        return False


@pytest.fixture
def slow() -> Iterator[Slow]:
    files = Slow()
    yield files
    files.may_go.set()


def evicted_to(files: object, tiny: LoadedModel, core: Core, prompt: list[int]) -> None:
    """Run a prompt, and others until RAM does not hold it any more."""
    rng = np.random.default_rng(99)
    core.run(prompt, 4, params=ENDLESS)
    for _ in range(6):
        core.run(tiny.random_prompt(rng, 300), 1)
        core.all_saved()


@in_both_layouts
def test_a_request_that_waits_for_a_file_is_cancelled_at_once(
    tiny: LoadedModel, slow: Slow, partitioned: bool
) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(14), 300)
    second = SecondTier(150_000, files=slow)
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=second) as core:
        evicted_to(slow, tiny, core, prompt)
        waiting = core.submit(prompt, 4)
        assert slow.is_at_it.wait(HANG)
        waiting.request.cancel()
        core.wait(waiting)
        assert waiting.finish == CANCELLED
        slow.may_go.set()
        core.run(prompt, 4)


@in_both_layouts
def test_a_file_that_takes_too_long_is_not_waited_for_and_costs_others_nothing(
    tiny: LoadedModel, slow: Slow, partitioned: bool
) -> None:
    rng = np.random.default_rng(15)
    prompt = tiny.random_prompt(rng, 300)
    second = SecondTier(150_000, files=slow)
    with Core(tiny, n_ctx=512, n_parallel=2, partitioned=partitioned, second=second) as core:
        evicted_to(slow, tiny, core, prompt)
        waiting = core.submit(prompt, 4, params=ENDLESS)
        assert slow.is_at_it.wait(HANG)
        other = core.run(tiny.random_prompt(rng, 30), 20, params=ENDLESS)
        assert len(other.tokens) == 20
        assert not waiting.finish
        core.wait(waiting)
        assert waiting.request.n_cached == 0
        check_output(tiny, prompt, waiting)
        slow.may_go.set()


def test_cells_that_the_worker_is_about_to_join_stay_though_nobody_waits_for_them(
    tiny: LoadedModel, slow: Slow
) -> None:
    rng = np.random.default_rng(18)
    prompt = tiny.random_prompt(rng, 300)
    n_blocks = -(-300 // N_BLOCK)
    slow.kind = "touch"
    second = SecondTier(150_000, files=slow)
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=True, second=second) as core:
        core.run(prompt, 1)
        for _ in range(4):
            core.run(tiny.random_prompt(rng, 40), 1)
            core.all_saved()
        waiting = core.submit(prompt, 4)
        assert slow.is_at_it.wait(HANG)
        waiting.request.cancel()
        core.wait(waiting)
        for _ in range(3):
            core.run(tiny.random_prompt(rng, 300), 1)
        assert tier_of(core)["blocks"] >= n_blocks
        slow.may_go.set()
        core.run(tiny.random_prompt(rng, 20), 1)
        core.all_saved()
        core.run(prompt, 1)


@in_both_layouts
def test_a_worker_that_dies_ends_the_tier_and_nothing_else(
    tiny: LoadedModel, slow: Slow, partitioned: bool
) -> None:
    prompt = tiny.random_prompt(np.random.default_rng(16), 300)
    second = SecondTier(150_000, files=slow)
    second.dies_of = RuntimeError
    slow.fails = True
    slow.may_go.set()
    with Core(tiny, n_ctx=512, n_parallel=1, partitioned=partitioned, second=second) as core:
        evicted_to(slow, tiny, core, prompt)
        for _ in range(3):
            result = core.run(prompt, 4, params=ENDLESS)
            assert result.request.n_cached == 0 or core.results.index(result) > 8
            check_output(tiny, prompt, result)
            core.run(tiny.random_prompt(np.random.default_rng(17), 300), 1)


@in_both_layouts
def test_random_load_gives_what_cold_runs_give(
    tiny: LoadedModel, partitioned: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(18)
    prefixes = [tiny.random_prompt(rng, int(n)) for n in rng.integers(40, 250, 8)]
    prompts = []
    for _ in range(150):
        prefix = prefixes[rng.integers(len(prefixes))]
        n = int(rng.integers(1, len(prefix) + 1))
        prompts.append([*prefix[:n], *tiny.random_prompt(rng, int(rng.integers(1, 40)))])
    second = SecondTier(300_000, tmp_path, max_bytes=1 << 20)
    with Core(
        tiny, n_ctx=640, n_parallel=3, partitioned=partitioned, second=second, n_spare_bytes=1 << 20
    ) as core:
        running = []
        for prompt in prompts:
            result = core.submit(prompt, int(rng.integers(1, 60)), params=ENDLESS)
            running.append((prompt, result))
            if rng.random() < 0.1:
                result.request.cancel()
            if rng.random() < 0.3:
                core.wait(running[int(rng.integers(len(running)))][1])
        core.wait()
        assert tier_of(core)["hits"] > 0
        core.checked_lengths()
        for prompt, result in running:
            if result.tokens and result.finish != CANCELLED:
                check_output(tiny, prompt, result)
