"""Shifting contexts on pools that run dry, under failures, and in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llamabox.params import GenerationParams
from tests.core.conftest import ModelOf
from tests.core.faults import Decoder, Failing, Gated, rows_of
from tests.core.kinds import in_both_layouts
from tests.core.running import (
    CANCELLED,
    EOG,
    ERROR,
    GREEDY,
    LENGTH,
    STOP,
    Core,
    LoadedModel,
    Result,
)
from tests.core.shifting import plain_shifted

N_CTX = 96
N_GROWN = 200
"""A context that outgrows what admission keeps free for a request."""
ROUNDING = 1e-4
ENDLESS = GREEDY.replace(ignore_eos=True)
SHIFTING: dict[str, Any] = {"params": ENDLESS, "context_shift": True}
NO_ROOM = 1


def prompts_of(model: LoadedModel, n: int, n_tokens: int = 20) -> list[list[int]]:
    rng = np.random.default_rng(71)
    return [model.random_prompt(rng, n_tokens) for _ in range(n)]


def run_preempted(
    model: LoadedModel, prompt: list[int], n_predict: int, *, n_keep: int, n_spare_bytes: int
) -> Result:
    """A request that has shifted when another of a higher rank takes its cells.

    It gets them back after some 350 tokens, and shifts again before 380.
    """
    gate = Gated()
    with Core(model, n_ctx=256, decoder=gate, n_spare_bytes=n_spare_bytes) as core:
        result = core.submit(prompt, n_predict, n_ctx=N_GROWN, n_keep=n_keep, **SHIFTING)
        for _ in range(250):
            gate.step()
        urgent = core.submit([1, 2, 3], 250, params=ENDLESS, priority_ns=10**12)
        gate.open()
        core.wait()
        stats = core.stats()
        assert stats["n_preempted"] > 0
        assert (urgent.n_tokens, result.n_tokens, len(result.tokens)) == (250, n_predict, n_predict)
        assert stats["n_prompt_tokens"] == len(prompt) + 3
        core.checked_cells()
        assert sorted(core.scheduler.sequence_lengths())[:-1] == [0, 0, n_keep]
    return result


@pytest.mark.parametrize("n_keep", [0, 5])
@pytest.mark.parametrize("n_predict", [365, 600])
def test_saved_cells_of_a_shifted_request_go_on_exactly(
    tiny: LoadedModel, n_predict: int, n_keep: int
) -> None:
    prompt = prompts_of(tiny, 1)[0]
    expected = plain_shifted(tiny, prompt, n_predict, n_ctx=N_GROWN, n_keep=n_keep)
    result = run_preempted(tiny, prompt, n_predict, n_keep=n_keep, n_spare_bytes=64 << 20)
    assert expected.agrees(result.tokens, ROUNDING)


@pytest.mark.parametrize("n_keep", [0, 5])
def test_without_ram_a_shifted_request_computes_its_window_again(
    tiny: LoadedModel, n_keep: int
) -> None:
    """Up to there its output is that of the moved cells."""
    prompt = prompts_of(tiny, 1)[0]
    expected = plain_shifted(tiny, prompt, 250, n_ctx=N_GROWN, n_keep=n_keep)
    result = run_preempted(tiny, prompt, 600, n_keep=n_keep, n_spare_bytes=0)
    assert expected.agrees(result.tokens[:250], ROUNDING)


def test_two_that_fill_the_whole_pool_both_come_to_their_end(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_parallel=2) as core:
        both = [core.submit(prompt, 1000, **SHIFTING) for prompt in prompts_of(tiny, 2)]
        core.wait()
        assert [result.request.n_output for result in both] == [1000, 1000]
        core.checked_cells()


def test_cells_are_not_saved_between_a_shift_and_the_forward_that_completes_it(
    tiny: LoadedModel,
) -> None:
    """No room at the forward of the first shift: the later request is preempted, unsaved."""
    prompt = prompts_of(tiny, 1, 60)[0]
    expected = plain_shifted(tiny, prompt, 200, n_ctx=N_CTX, n_keep=5, recomputed={0})
    with Core(tiny, n_ctx=512, decoder=NoRoomAtShift(), n_spare_bytes=64 << 20) as core:
        core.submit([1, 2, 3], 400, params=ENDLESS)
        result = core.submit(prompt, 200, n_ctx=N_CTX, n_keep=5, **SHIFTING)
        core.wait()
        assert core.stats()["n_preempted"] == 1
        assert core.stats()["n_prompt_tokens"] == 3 + 60
    assert expected.agrees(result.tokens, ROUNDING)


class NoRoomAtShift(Decoder):
    """Says that there is no room when a sequence's positions go back, the first time."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[int, int] = {}
        self._has_failed = False

    def decode(self, context: int, batch: Any) -> int:
        ends = {sequence: position for _, position, sequence, _ in rows_of(batch)}
        if not self._has_failed and any(ends[i] < self._ends.get(i, 0) for i in ends):
            self._has_failed = True
            return NO_ROOM
        self._ends |= ends
        return super().decode(context, batch)


@pytest.mark.parametrize("code", [NO_ROOM, 2, -1, -3])
@in_both_layouts
def test_random_failures_leave_the_books_right(
    tiny: LoadedModel, code: int, partitioned: bool
) -> None:
    rng = np.random.default_rng(72)
    failing = Failing(code, {int(i) for i in rng.integers(0, 1500, 150)})
    options = {"decoder": failing, "n_spare_bytes": 1 << 20, "partitioned": partitioned}
    with Core(tiny, n_ctx=256, **options) as core:
        for n in rng.integers(1, 80, 40):
            n_keep, n_discard = int(rng.integers(0, 100)), int(rng.integers(0, 40))
            core.submit(
                tiny.random_prompt(rng, int(n)),
                int(rng.integers(1, 200)),
                n_ctx=N_CTX,
                n_keep=n_keep,
                n_discard=n_discard,
                **SHIFTING,
            )
        core.wait()
        assert all(result.finish in (LENGTH, ERROR) for result in core.results)
        assert core.checked_cells() == core.stats()["n_cells_used"]


def submit_random(core: Core, rng: np.random.Generator, seed: int) -> Result:
    """A request of some prompt, shared by others or not, that shifts or not."""
    shared = list(range(int(rng.integers(0, 70))))
    return core.submit(
        [*shared, *rng.integers(0, 500, int(rng.choice([1, 5, 20])))],
        int(rng.choice([0, 1, 20, 150, 600], p=[0.1, 0.1, 0.3, 0.4, 0.1])),
        params=GenerationParams(
            seed=seed,
            temperature=float(rng.choice([0, 1.0])),
            ignore_eos=bool(rng.random() < 0.8),
            repeat_penalty=float(rng.choice([1.0, 1.1])),
            repeat_last_n=-1,
        ),
        stops=[b"th", b"e"] if rng.random() < 0.1 else [],
        n_ctx=int(rng.choice([N_CTX, 128, 256])),
        context_shift=bool(rng.random() < 0.8),
        n_keep=int(rng.choice([0, 3, 40, 1000])),
        n_discard=int(rng.choice([0, 1, 10])),
    )


@pytest.mark.parametrize(
    ("name", "n_spare_bytes"),
    [("llama", 0), ("llama", 100_000), ("llama", 64 << 20), ("gemma3", 100_000)],
)
@in_both_layouts
def test_two_hundred_random_requests_end_and_the_books_are_right(
    model_of: ModelOf, name: str, n_spare_bytes: int, partitioned: bool
) -> None:
    rng = np.random.default_rng(73)
    options = {"n_batch": 64, "n_ubatch": 32, "n_spare_bytes": n_spare_bytes}
    with Core(model_of(name), n_ctx=256, partitioned=partitioned, **options) as core:
        for i in range(200):
            result = submit_random(core, rng, i)
            if rng.random() < 0.1:
                result.request.cancel()
        core.wait()
        stats = core.stats()
        core.checked_lengths()
        assert {result.finish for result in core.results} <= {EOG, STOP, LENGTH, CANCELLED}
        assert all(r.n_tokens == r.request.n_output == len(r.tokens) for r in core.results)
    assert stats["n_output_tokens"] == sum(r.n_tokens for r in core.results)
    assert stats["n_shifts"] > 200
    assert stats["n_preempted"] > 10 or partitioned
