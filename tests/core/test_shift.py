"""Context shift gives llama-server's tokens, and nobody else other ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.faults import Gated
from tests.core.kinds import every_uncut, in_both_layouts
from tests.core.plain_chain import PlainChain
from tests.core.running import GREEDY, LENGTH, STOP, Core, LoadedModel, Result
from tests.core.shifting import plain_shifted

N_CTX = 96
N_PREDICT = 300
ROUNDING = 1e-4
ALL = range(N_PREDICT)
ENDLESS = GREEDY.replace(ignore_eos=True)


def submit(core: Core, prompt: Sequence[int], n_predict: int = N_PREDICT, **options: Any) -> Result:
    options = {"params": ENDLESS, "n_ctx": N_CTX, "context_shift": True, **options}
    return core.submit(prompt, n_predict, **options)


def prompt_of(model: LoadedModel, n: int, seed: int = 61) -> list[int]:
    return model.random_prompt(np.random.default_rng(seed), n)


def alone(model: LoadedModel, prompt: Sequence[int], **options: Any) -> Result:
    """The request with a core of its own."""
    with Core(model, n_ctx=256, n_parallel=1) as core:
        result = submit(core, prompt, **options)
        core.wait()
        return result


def forward(core: Core, gate: Gated, n: int) -> None:
    """Let `n` forwards through a gated core, and wait for the next one to begin."""
    for _ in range(n):
        gate.step()
    gate.entered.wait()


@pytest.mark.parametrize("n_prompt", [1, 40, N_CTX - 1])
@pytest.mark.parametrize(
    ("n_keep", "n_discard"), [(0, 0), (5, 0), (40, 0), (0, 7), (5, 1), (40, 10**6), (10**6, 0)]
)
@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_shifted_output_is_that_of_plain_llama_cpp(
    model_of: ModelOf, name: str, n_prompt: int, n_keep: int, n_discard: int
) -> None:
    model = model_of(name)
    prompt = prompt_of(model, n_prompt)
    how = {"n_keep": n_keep, "n_discard": n_discard}
    expected = plain_shifted(model, prompt, N_PREDICT, n_ctx=N_CTX, **how)
    with Core(model, n_ctx=256, n_cells=N_CTX) as core:
        result = submit(core, prompt, **how)
        core.wait()
        stats = core.stats()
        assert core.checked_cells() == min(n_keep, N_CTX - 4)
    assert expected.agrees(result.tokens, ROUNDING)
    assert stats["n_shifts"] >= 4
    assert stats["n_prompt_tokens"] == n_prompt
    assert (result.finish, result.n_tokens, result.request.n_output) == (LENGTH, 300, 300)
    assert result.request.n_prompt == n_prompt
    assert result.request.is_truncated
    assert result.text == model.vocab.detokenize(np.array(result.tokens, np.int32))


@in_both_layouts
@every_uncut
@pytest.mark.parametrize(("n_keep", "n_discard"), [(0, 0), (40, 0), (5, 7)])
def test_a_memory_that_cannot_move_computes_its_window_again(
    model_of: ModelOf, name: str, partitioned: bool, n_keep: int, n_discard: int
) -> None:
    model = model_of(name)
    prompts = [prompt_of(model, 40, seed) for seed in range(2)]
    how = {"n_keep": n_keep, "n_discard": n_discard}
    with Core(model, n_ctx=256, n_parallel=2, partitioned=partitioned) as core:
        results = [submit(core, prompt, 150, **how) for prompt in prompts]
        core.wait()
        core.checked_lengths()
    for prompt, result in zip(prompts, results, strict=True):
        expected = plain_shifted(model, prompt, 150, n_ctx=N_CTX, recomputed=ALL, **how)
        assert expected.agrees(result.tokens, ROUNDING)


def test_without_context_shift_the_output_ends_with_the_context(tiny: LoadedModel) -> None:
    with Core(tiny, n_ctx=256, n_cells=N_CTX) as core:
        full = core.run([1, 2, 3], N_PREDICT, params=ENDLESS)
        short = core.run([1, 2, 3], 20, params=ENDLESS)
        assert (full.finish, full.request.n_output) == (LENGTH, N_CTX - 3)
        assert (full.request.is_truncated, short.request.is_truncated) == (True, False)
        assert core.stats()["n_shifts"] == 0


@pytest.mark.parametrize(("n_ctx", "n_output"), [(2, 1), (3, 50), (4, 50), (5, 50)])
def test_a_context_of_hardly_any_cells_shifts_or_ends(
    tiny: LoadedModel, n_ctx: int, n_output: int
) -> None:
    with Core(tiny, n_ctx=256) as core:
        result = submit(core, [7], 50, n_ctx=n_ctx, n_keep=3)
        core.wait()
        assert (result.finish, result.request.n_output) == (LENGTH, n_output)
        core.checked_cells()


def test_output_tokens_are_not_read_while_a_shift_may_move_them(tiny: LoadedModel) -> None:
    gate = Gated()
    with Core(tiny, n_ctx=256, decoder=gate) as core:
        result = submit(core, [1, 2, 3])
        gate.entered.wait()
        with pytest.raises(RuntimeError, match="still runs"):
            result.request.output_tokens()
        gate.open()
        core.wait()
        assert len(result.tokens) == N_PREDICT


@pytest.mark.parametrize("last_n", [7, 64, -1])
@pytest.mark.parametrize("n_keep", [0, 5])
def test_penalties_look_back_at_the_true_last_tokens(
    tiny: LoadedModel, last_n: int, n_keep: int
) -> None:
    params = ENDLESS.replace(repeat_penalty=1.4, frequency_penalty=0.3, repeat_last_n=last_n)
    prompt = prompt_of(tiny, 30)
    chain = PlainChain(tiny.n_vocab, N_CTX, params, history=prompt)
    expected = plain_shifted(
        tiny, prompt, N_PREDICT, n_ctx=N_CTX, n_keep=n_keep, choose=chain.sample
    )
    chain.close()
    with Core(tiny, n_ctx=256, n_cells=N_CTX) as core:
        result = submit(core, prompt, n_keep=n_keep, params=params)
        core.wait()
    assert expected.tokens == result.tokens


def test_a_stop_string_across_a_shift_ends_the_output(tiny: LoadedModel) -> None:
    """Every window of the output around its first shifts is a stop string once."""
    prompt = prompt_of(tiny, 60)
    whole = alone(tiny, prompt, n_keep=5)
    before = [len(tiny.vocab.detokenize(np.array(whole.tokens[:n], np.int32))) for n in (36, 82)]
    for i in (j for n in before for j in range(n - 5, n + 2)):
        stop = whole.text[i : i + 6]
        result = alone(tiny, prompt, n_keep=5, stops=[b"\0never", stop])
        assert (result.finish, result.request.i_stop) == (STOP, 1)
        assert result.text == whole.text[: whole.text.index(stop)]


@in_both_layouts
def test_seeded_sampling_goes_on_across_shifts_whatever_runs_beside(
    tiny: LoadedModel, partitioned: bool
) -> None:
    prompts = [prompt_of(tiny, 20, seed) for seed in range(4)]
    hot = ENDLESS.replace(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
    apart = [alone(tiny, p, params=hot.replace(seed=i)) for i, p in enumerate(prompts)]
    with Core(tiny, n_ctx=1024, partitioned=partitioned) as core:
        for i, prompt in enumerate(prompts):
            submit(core, prompt, params=hot.replace(seed=i))
        core.wait()
        assert [r.tokens for r in core.results] == [r.tokens for r in apart]
        assert core.stats()["n_shifts"] >= 20
        core.checked_cells()


def test_streams_that_share_tokens_move_each_its_own_cells(tiny: LoadedModel) -> None:
    """With others of the same tokens live and parked, and copies of a stream that has moved."""
    prompt = prompt_of(tiny, 80)
    expected = plain_shifted(tiny, prompt, N_PREDICT, n_ctx=N_CTX, n_keep=40)
    with Core(tiny, n_ctx=256) as core:
        tails = [core.run([*prompt[:40], i], 50, params=ENDLESS).tokens for i in range(6)]
    with Core(tiny, n_ctx=256, n_sequences=8, partitioned=True) as core:
        core.run([*prompt, 1], 50, params=ENDLESS)
        shifting = [submit(core, prompt, n_keep=40) for _ in range(2)]
        others = [core.submit([*prompt[:40], i], 50, params=ENDLESS) for i in range(6)]
        core.wait()
        assert all(expected.agrees(result.tokens, ROUNDING) for result in shifting)
        assert [result.tokens for result in others] == tails
        core.checked_cells()
        warm = core.run([*prompt[:40], 0], 50, params=ENDLESS)
        assert (warm.request.n_cached, warm.tokens) == (40, tails[0])


@in_both_layouts
def test_tokens_that_llama_cpp_samples_go_on_across_shifts(
    tiny: LoadedModel, partitioned: bool
) -> None:
    prompts = [prompt_of(tiny, 30, seed) for seed in range(2)]
    with Core(tiny, n_ctx=256, partitioned=partitioned, backend_sampling=True) as core:
        results = [submit(core, prompt, n_keep=5) for prompt in prompts]
        core.wait()
        assert core.scheduler.backend.n_sampled == 2 * N_PREDICT
        assert core.stats()["n_shifts"] >= 10
    for prompt, result in zip(prompts, results, strict=True):
        expected = plain_shifted(tiny, prompt, N_PREDICT, n_ctx=N_CTX, n_keep=5)
        assert expected.agrees(result.tokens, ROUNDING)


class TestSharing:
    """Requests with a common prefix, which reaches behind what a shift discards."""

    def test_parked_cells_are_let_go_of_and_the_rest_moves(self, tiny: LoadedModel) -> None:
        prompt = prompt_of(tiny, 80)
        expected = plain_shifted(tiny, prompt, N_PREDICT, n_ctx=N_CTX, n_keep=5)
        with Core(tiny, n_ctx=1024, n_sequences=8) as core:
            for n in (80, 60, 30):
                core.run([*prompt[:n], n], 5, params=ENDLESS)
            result = submit(core, prompt, n_keep=5)
            core.wait()
            assert result.request.n_cached == 79
            assert expected.agrees(result.tokens, ROUNDING)
            core.checked_cells()

    def test_parked_cells_in_front_of_those_that_move_stay(self, tiny: LoadedModel) -> None:
        prompt = prompt_of(tiny, 80)
        with Core(tiny, n_ctx=1024, n_sequences=8) as core:
            first = core.run([*prompt[:30], 9], 5, params=ENDLESS)
            shifted = submit(core, prompt, n_keep=5)
            core.wait()
            assert shifted.request.n_cached == 30
            again = core.run([*prompt[:30], 9], 5, params=ENDLESS)
            assert again.request.n_cached == 30
            assert again.tokens == first.tokens
            core.checked_cells()

    def test_cells_of_a_running_request_are_not_moved(self, tiny: LoadedModel) -> None:
        """The other one outlives the first shift, not the second."""
        prompt = prompt_of(tiny, 80)
        expected = plain_shifted(tiny, prompt, N_PREDICT, n_ctx=N_CTX, n_keep=5, recomputed={0})
        with Core(tiny, n_ctx=1024) as core:
            undisturbed = core.run([*prompt[:60], 9], 30, params=ENDLESS).tokens
        gate = Gated()
        with Core(tiny, n_ctx=1024, decoder=gate) as core:
            other = core.submit([*prompt[:60], 9], 30, params=ENDLESS)
            gate.entered.wait()
            result = submit(core, prompt, n_keep=5)
            gate.open()
            core.wait()
            assert result.request.n_cached == 60
            assert other.tokens == undisturbed
            assert expected.agrees(result.tokens, ROUNDING)
            core.checked_cells()

    def test_of_two_that_share_cells_the_first_leaves_them_to_the_second(
        self, tiny: LoadedModel
    ) -> None:
        common = prompt_of(tiny, 79)
        gate = Gated()
        with Core(tiny, n_ctx=1024, decoder=gate) as core:
            both = [submit(core, [*common, 1], n_keep=5)]
            gate.entered.wait()
            both.append(submit(core, [*common, 2], n_keep=5))
            gate.open()
            core.wait()
            assert [result.request.n_cached for result in both] == [0, 79]
            core.checked_cells()
        for result, last, recomputed in zip(both, (1, 2), ({0}, ()), strict=True):
            expected = plain_shifted(
                tiny, [*common, last], N_PREDICT, n_ctx=N_CTX, n_keep=5, recomputed=recomputed
            )
            assert expected.agrees(result.tokens, ROUNDING)

    def test_moved_cells_are_offered_to_nobody(self, tiny: LoadedModel) -> None:
        """Neither while their request runs, nor when it has ended. The first shift takes the
        tokens from 5 to 50."""
        prompt = prompt_of(tiny, 80)
        whole = alone(tiny, prompt, n_keep=5)
        known = [*prompt, *whole.tokens]
        window = [*known[:5], *known[50:]][: N_CTX - 20]
        with Core(tiny, n_ctx=256) as core:
            expected = core.run(window, 10, params=ENDLESS).tokens
        gate = Gated()
        with Core(tiny, n_ctx=1024, decoder=gate) as core:
            shifted = submit(core, prompt, n_keep=5)
            forward(core, gate, 45)
            n_before = len(gate.batches)
            during = core.submit(window, 10, params=ENDLESS)
            gate.open()
            core.wait()
            after = core.run(window[:50], 0)
            assert shifted.tokens == whole.tokens
            assert during.tokens == expected
            assert during.request.n_cached == 5
            assert len({row[2] for row in gate.batches[n_before]}) == 2, "it waits for nobody"
            assert after.request.n_cached == 49, "the cells that `during` has computed"
            core.checked_cells()

    def test_what_a_shift_keeps_is_parked(self, tiny: LoadedModel) -> None:
        prompt = prompt_of(tiny, 40)
        with Core(tiny, n_ctx=256) as core:
            cold = core.run([*prompt, 3, 4], 10, params=ENDLESS).tokens
        with Core(tiny, n_ctx=256) as core:
            submit(core, prompt, n_keep=40)
            core.wait()
            warm = core.run([*prompt, 3, 4], 10, params=ENDLESS)
            assert (warm.request.n_cached, warm.tokens) == (40, cold)
