"""What llama_decode's return codes cost: nothing, a retry, or the requests of that batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.faults import Decoder, Failing, rows_of
from tests.core.running import ERROR, GREEDY, LENGTH, Core, LoadedModel

ENDLESS = GREEDY.replace(ignore_eos=True)
NO_ROOM = 1
FATAL = [2, -1, -2, -3]


def prompts_of(model: LoadedModel, n: int) -> list[list[int]]:
    rng = np.random.default_rng(31)
    return [model.random_prompt(rng, 10 + 7 * i) for i in range(n)]


def expected_outputs(model: LoadedModel, prompts: list[list[int]]) -> list[list[int]]:
    with Core(model) as core:
        return [core.run(prompt, 20, params=ENDLESS).tokens for prompt in prompts]


@pytest.mark.parametrize("at", [{0}, {1}, {5}, {3, 4, 5}, {2, 9, 17}], ids=str)
def test_no_room_ends_nobody_and_changes_no_output(tiny: LoadedModel, at: set[int]) -> None:
    prompts = prompts_of(tiny, 6)
    expected = expected_outputs(tiny, prompts)
    failing = Failing(NO_ROOM, at)
    with Core(tiny, decoder=failing) as core:
        core.run([1, 2, 3], 1)
        failing.ready.clear()
        for prompt in prompts:
            core.submit(prompt, 20, params=ENDLESS)
        failing.ready.set()
        core.wait()
        assert [result.tokens for result in core.results[1:]] == expected
        assert core.checked_cells() == core.stats()["n_cells_used"]
    assert len(failing.failed) == len(at)


def test_no_room_frees_parked_prefixes_before_it_costs_a_running_request(
    tiny: LoadedModel,
) -> None:
    failing = Failing(NO_ROOM, {4})
    with Core(tiny, decoder=failing) as core:
        core.run(range(50), 2, params=ENDLESS)
        core.run(range(100, 110), 10, params=ENDLESS)
        stats = core.stats()
        assert (stats["n_preempted"], len(failing.failed)) == (0, 1)
        assert core.run(range(50)).request.n_cached == 0


@pytest.mark.parametrize("code", FATAL)
@pytest.mark.parametrize("at", [0, 1, 8])
def test_a_fatal_code_ends_the_requests_of_that_batch_and_later_ones_succeed(
    tiny: LoadedModel, code: int, at: int
) -> None:
    prompts = prompts_of(tiny, 8)
    expected = expected_outputs(tiny, prompts)
    failing = Failing(code, {at})
    with Core(tiny, n_parallel=4, decoder=failing) as core:
        for prompt in prompts:
            core.submit(prompt, 20, params=ENDLESS)
        core.wait()
        failed = [result for result in core.results if result.finish == ERROR]
        assert len(failed) == len(failing.failed[0]) > 0
        for result, tokens in zip(core.results, expected, strict=True):
            assert result.tokens == (tokens[: len(result.tokens)] if result in failed else tokens)
        assert [core.run(prompt, 20, params=ENDLESS).tokens for prompt in prompts] == expected
        stats = core.stats()
        assert stats["n_requests"]["error"] == len(failed)
        assert core.checked_cells() == stats["n_cells_used"]


@pytest.mark.parametrize("code", FATAL)
def test_a_fatal_code_spares_running_requests_outside_the_batch(
    tiny: LoadedModel, code: int
) -> None:
    """With room for 32 rows, one long prompt's chunk leaves the other prompt out."""
    failing = Failing(code, {1})
    with Core(tiny, n_batch=32, n_ubatch=32, decoder=failing) as core:
        results = [core.submit(range(i, 300 + i), 4, params=ENDLESS) for i in range(2)]
        core.wait()
    assert sorted(result.finish for result in results) == [LENGTH, ERROR]


def test_a_request_fails_when_its_every_forward_does(tiny: LoadedModel) -> None:
    failing = Failing(NO_ROOM, set(range(3)))
    with Core(tiny, decoder=failing) as core:
        assert core.run([1, 2, 3]).finish == ERROR
        assert core.run([1, 2, 3], params=ENDLESS).finish in (LENGTH, ERROR)


@pytest.mark.parametrize("code", [NO_ROOM, *FATAL])
def test_random_failures_leave_the_books_right(tiny: LoadedModel, code: int) -> None:
    rng = np.random.default_rng(32)
    failing = Failing(code, {int(i) for i in rng.integers(0, 400, 40)})
    with Core(tiny, n_ctx=512, n_parallel=6, decoder=failing) as core:
        for n in rng.integers(1, 120, 40):
            core.submit(tiny.random_prompt(rng, int(n)), int(rng.integers(1, 60)), params=ENDLESS)
        core.wait()
        stats = core.stats()
        assert all(result.finish in (LENGTH, ERROR) for result in core.results)
        assert core.checked_cells() == stats["n_cells_used"]
        assert sum(stats["n_requests"].values()) == 40


class TooFull(Decoder):
    """Says that there is no room, as long as a batch is of more than one sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.n_calls = 0

    def decode(self, context: int, batch: Any) -> int:
        self.n_calls += 1
        if len({sequence for _, _, sequence, _ in rows_of(batch)}) > 1:
            return 1
        return super().decode(context, batch)


def test_a_memory_that_never_holds_two_serves_one_after_the_other(tiny: LoadedModel) -> None:
    decoder = TooFull()
    with Core(tiny, n_parallel=2, decoder=decoder) as core:
        both = [core.submit([i, 2, 3], 20, params=ENDLESS) for i in range(2)]
        core.wait()
    assert [result.finish for result in both] == [LENGTH, LENGTH]
    assert decoder.n_calls < 100
