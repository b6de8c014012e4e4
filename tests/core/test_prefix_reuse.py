"""A prompt starts from the longest prefix that any sequence holds, and nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.faults import Gated
from tests.core.running import CANCELLED, GREEDY, LENGTH, Core, LoadedModel, Result, eventually

N_PARALLEL = 4
ENDLESS = GREEDY.replace(ignore_eos=True)


def held_tokens(result: Result, prompt: list[int]) -> list[int]:
    """What the memory holds of a finished request: all but the token that was sampled last."""
    return [*prompt, *result.tokens][:-1]


def common_prefix(a: list[int], b: list[int]) -> int:
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def branching_prompts(model: LoadedModel, n: int) -> list[list[int]]:
    """Prompts that leave one another at many points, some inside an earlier one's output."""
    rng = np.random.default_rng(11)
    prompts = [model.random_prompt(rng, 60)]
    while len(prompts) < n:
        parent = prompts[rng.integers(len(prompts))]
        kept = parent[: rng.integers(len(parent) + 1)]
        prompts.append([*kept, *model.random_prompt(rng, int(rng.integers(0, 30)))] or [1])
    return prompts


def test_n_cached_is_the_longest_prefix_of_anything_computed_before(tiny: LoadedModel) -> None:
    held: list[list[int]] = []
    n_reused = 0
    with Core(tiny, n_ctx=8192, n_parallel=N_PARALLEL, n_sequences=100) as core:
        for prompt in branching_prompts(tiny, 80):
            expected = max((common_prefix(h, prompt[:-1]) for h in held), default=0)
            result = core.run(prompt, 6, params=ENDLESS)
            assert result.request.n_cached == expected
            held.append(held_tokens(result, prompt))
            n_reused += expected > 0
        stats = core.stats()
    assert n_reused > 30
    assert stats["n_cached_tokens"] == sum(r.request.n_cached for r in core.results)
    n_prompt = sum(r.request.n_prompt for r in core.results)
    assert stats["n_prompt_tokens"] == n_prompt - stats["n_cached_tokens"]


def test_a_burst_computes_its_common_prefix_once(tiny: LoadedModel) -> None:
    rng = np.random.default_rng(13)
    common = tiny.random_prompt(rng, 300)
    tails = [[n, *tiny.random_prompt(rng, 9)] for n in tiny.text_tokens()[:16]]
    gate = Gated()
    with Core(tiny, n_ctx=4096, n_parallel=16, n_sequences=32, decoder=gate) as core:
        first = core.submit(tiny.random_prompt(rng, 4), 1)
        gate.entered.wait()
        burst = [core.submit([*common, *tail], 8, params=ENDLESS) for tail in tails]
        gate.open()
        core.wait(first, *burst)
        stats = core.stats()
    assert sorted(r.request.n_cached for r in burst) == [0] + 15 * [300]
    assert stats["n_prompt_tokens"] == 4 + 300 + 16 * 10
    for tail, result in zip(tails, burst, strict=True):
        with Core(tiny, n_ctx=512) as cold:
            assert cold.run([*common, *tail], 8, params=ENDLESS).tokens == result.tokens


def test_those_who_wait_for_a_prefix_go_on_when_its_request_is_cancelled(
    tiny: LoadedModel,
) -> None:
    common = tiny.random_prompt(np.random.default_rng(14), 400)
    gate = Gated()
    with Core(tiny, n_batch=64, n_sequences=8, decoder=gate) as core:
        leader = core.submit([*common, 5], 4, params=ENDLESS)
        gate.entered.wait()
        follower = core.submit([*common, 6], 4, params=ENDLESS)
        leader.request.cancel()
        gate.open()
        core.wait(leader, follower)
        assert (leader.finish, follower.finish) == (CANCELLED, LENGTH)
        assert follower.request.n_cached == 64


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


@pytest.mark.parametrize("partitioned", [False, True])
def test_prompts_that_come_back_do_not_drive_each_other_out(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(15)
    prompts = [tiny.random_prompt(rng, 60) for _ in range(4)]
    n_sequences = 5 if partitioned else 4
    with Core(tiny, n_sequences=n_sequences, partitioned=partitioned) as core:
        for prompt in prompts:
            core.run(prompt, 20, params=ENDLESS)
        for _ in range(3):
            order = rng.permutation(4)
            again = [core.submit(prompts[i], 20, params=ENDLESS) for i in order]
            core.wait()
            assert [result.request.n_cached for result in again] == 4 * [59]


def test_a_conversation_that_goes_on_computes_its_new_turn_only(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        first = core.run(range(100), 20, params=ENDLESS)
        turn = [*range(100), *first.tokens, 5, 6, 7]
        assert core.run(turn).request.n_cached == 119


def test_running_requests_share_a_prefix_and_say_the_same(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        alone = core.run(range(50), 100, params=ENDLESS).tokens
        both = [core.submit(range(50), 100, params=ENDLESS) for _ in range(2)]
        core.wait()
        assert [result.tokens for result in both] == [alone, alone]
        assert sorted(result.request.n_cached for result in both) == [49, 49]


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


@pytest.mark.parametrize(
    "kind", ["packaged", "qwen2", "olmoe", "gemma3", "mamba", "rwkv7", "jamba"]
)
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
    assert any(r.request.n_cached for r in warm)
    for variant, result in zip(variants, warm, strict=True):
        with Core(model) as cold:
            assert cold.run(variant, 24, params=ENDLESS).tokens == result.tokens


@pytest.mark.parametrize("kind", ["olmoe", "gemma3", "mamba", "rwkv7", "jamba"])
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
