"""A prompt takes over the longest prefix that an idle slot still holds, and nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.running import CANCELLED, GREEDY, Core, LoadedModel, Result, eventually

N_PARALLEL = 4
ENDLESS = GREEDY.replace(ignore_eos=True)


def held_tokens(result: Result, prompt: list[int]) -> list[int]:
    """What the memory holds of a finished request: all but the token that was sampled last."""
    return [*prompt, *result.tokens][:-1]


def common_prefix(a: list[int], b: list[int]) -> int:
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


class Books:
    """What each slot holds, by brute force: least recently parked first."""

    def __init__(self) -> None:
        self.parked: list[list[int]] = [[] for _ in range(N_PARALLEL)]

    def take(self, prompt: list[int]) -> int:
        """Cells that a prompt finds; one of its tokens is always computed."""
        lengths = [common_prefix(held, prompt[:-1]) for held in self.parked]
        best = lengths.index(max(lengths))
        self.parked.pop(best)
        return lengths[best]

    def park(self, held: list[int]) -> None:
        self.parked.append(held)


def branching_prompts(model: LoadedModel, n: int) -> list[list[int]]:
    """Prompts that leave one another at many points, some inside an earlier one's output."""
    rng = np.random.default_rng(11)
    prompts = [model.random_prompt(rng, 60)]
    while len(prompts) < n:
        parent = prompts[rng.integers(len(prompts))]
        kept = parent[: rng.integers(len(parent) + 1)]
        prompts.append([*kept, *model.random_prompt(rng, int(rng.integers(0, 30)))] or [1])
    return prompts


def test_n_cached_is_the_longest_prefix_of_any_idle_slot(tiny: LoadedModel) -> None:
    books, n_reused = Books(), 0
    with Core(tiny, n_ctx=2048, n_parallel=N_PARALLEL) as core:
        for prompt in branching_prompts(tiny, 80):
            expected = books.take(prompt)
            result = core.run(prompt, 6, params=ENDLESS)
            assert result.request.n_cached == expected
            books.park(held_tokens(result, prompt))
            n_reused += expected > 0
        stats = core.stats()
    assert n_reused > 30
    assert stats["n_cached_tokens"] == sum(r.request.n_cached for r in core.results)
    n_prompt = sum(r.request.n_prompt for r in core.results)
    assert stats["n_prompt_tokens"] == n_prompt - stats["n_cached_tokens"]


def test_output_after_a_reused_prefix_is_that_of_a_cold_run(tiny: LoadedModel) -> None:
    prompts = branching_prompts(tiny, 40)
    with Core(tiny, n_ctx=2048) as warm:
        outputs = [warm.run(prompt, 10).tokens for prompt in prompts]
    for prompt, output in zip(prompts, outputs, strict=True):
        with Core(tiny, n_ctx=256) as cold:
            assert cold.run(prompt, 10).tokens == output


def test_the_same_prompt_again_computes_one_token(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        first = core.run(range(100))
        second = core.run(range(100))
        assert (first.request.n_cached, second.request.n_cached) == (0, 99)
        assert first.tokens == second.tokens


def test_a_conversation_that_goes_on_computes_its_new_turn_only(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        first = core.run(range(100), 20, params=ENDLESS)
        turn = [*range(100), *first.tokens, 5, 6, 7]
        assert core.run(turn).request.n_cached == 119


def test_a_running_requests_prefix_is_not_taken_from_it(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        alone = core.run(range(50), 100, params=ENDLESS).tokens
        both = [core.submit(range(50), 100, params=ENDLESS) for _ in range(2)]
        core.wait()
        assert [result.tokens for result in both] == [alone, alone]
        assert sorted(result.request.n_cached for result in both) == [0, 49]


def test_what_a_cancelled_request_has_computed_is_reused(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=2048) as core:
        result = core.submit(range(200), -1, params=ENDLESS)

        def has_output() -> bool:
            core.drain()
            return result.n_tokens > 3

        eventually(has_output, "some tokens come")
        result.request.cancel()
        core.wait()
        assert result.finish == CANCELLED
        assert core.run(range(200)).request.n_cached == 199


@pytest.mark.parametrize("kind", ["packaged", "qwen2", "gemma3", "mamba"])
def test_every_architecture_says_the_same_warm_and_cold(model_of: ModelOf, kind: str) -> None:
    model = model_of(kind)
    rng = np.random.default_rng(12)
    prompt = model.random_prompt(rng, 90)
    variants = [prompt, [*prompt, *model.random_prompt(rng, 20)], prompt[:50]]
    variants.append([*prompt[:70], 3, 4])
    with Core(model) as core:
        first = core.run(prompt, 24, params=ENDLESS)
        variants.append([*prompt, *first.tokens, 9])
        warm = [core.run(variant, 24, params=ENDLESS) for variant in variants]
    assert any(r.request.n_cached for r in warm) == (kind != "mamba")
    for variant, result in zip(variants, warm, strict=True):
        with Core(model) as cold:
            assert cold.run(variant, 24, params=ENDLESS).tokens == result.tokens


def test_a_sliding_window_without_the_prefixs_end_computes_it_again(model_of: ModelOf) -> None:
    """A cache that keeps only the window lacks what the end of a shortened prefix attends to."""
    model = model_of("gemma3")
    rng = np.random.default_rng(14)
    prompt = model.random_prompt(rng, 300)
    variants = [prompt[:n] for n in (250, 120, 60)] + [[*prompt[:200], 3, 4]]
    with Core(model, n_ubatch=16, swa_full=False) as warm:
        warm.run(prompt, 24, params=ENDLESS)
        outputs = [warm.run(variant, 24, params=ENDLESS).tokens for variant in variants]
    for variant, output in zip(variants, outputs, strict=True):
        with Core(model, n_ubatch=16, swa_full=False) as cold:
            assert cold.run(variant, 24, params=ENDLESS).tokens == output


@pytest.mark.parametrize("kind", ["gemma3", "mamba"])
def test_concurrent_requests_of_other_memories_match_single_ones(
    model_of: ModelOf, kind: str
) -> None:
    model = model_of(kind)
    rng = np.random.default_rng(13)
    prompts = [model.random_prompt(rng, n) for n in (3, 40, 80, 130, 7, 33)]
    with Core(model) as core:
        alone = [core.run(prompt, 30, params=ENDLESS).tokens for prompt in prompts]
    with Core(model) as core:
        together = [core.submit(prompt, 30, params=ENDLESS) for prompt in prompts]
        core.wait()
        assert [result.tokens for result in together] == alone
