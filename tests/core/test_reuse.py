"""Chunks that are moved give llama-server's tokens, and nobody else other ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.chunks import plain_reused
from tests.core.conftest import ModelOf
from tests.core.faults import Gated
from tests.core.kinds import every_uncut, in_both_layouts
from tests.core.plain_greedy import plain_greedy
from tests.core.running import (
    CANCELLED,
    GREEDY,
    LENGTH,
    Core,
    LoadedModel,
    Result,
    SecondTier,
)

N_CTX = 512
N_PREDICT = 40
ROUNDING = 1e-4
ENDLESS = GREEDY.replace(ignore_eos=True)


class Texts:
    """Runs of random tokens by name; a prompt is a word of their letters."""

    def __init__(self, model: LoadedModel, n: int = 40) -> None:
        rng = np.random.default_rng(83)
        self.runs = {letter: model.random_prompt(rng, n) for letter in "abcdefgh"}

    def __call__(self, letters: str) -> list[int]:
        return [token for letter in letters for token in self.runs[letter]]


@pytest.fixture(scope="module")
def texts(tiny: LoadedModel) -> Texts:
    return Texts(tiny)


def run(core: Core, prompt: list[int], n_predict: int = N_PREDICT, **options: Any) -> Result:
    return core.run(prompt, n_predict, **{"params": ENDLESS, **options})


def held_by(prompt: list[int], result: Result) -> list[int]:
    """What a request that ended parks: all but the last token."""
    return [*prompt, *result.tokens[:-1]]


@in_both_layouts
@pytest.mark.parametrize("name", ["llama", "qwen2"])
@pytest.mark.parametrize(
    ("first", "then", "n_cached"),
    [
        ("abcd", "acde", 120),  # one run is gone
        ("abcdef", "acefg", 160),  # two are
        ("abcd", "cdg", 80),  # so is the beginning
        ("abcd", "abgcd", 80),  # what is inserted is not looked behind
        ("abcd", "acd", 119),  # the last token is computed again
        ("abcdaefd", "adg", 80),  # the first place of several
        ("aaab", "abg", 80),
        ("abcd", "abcde", 160),
        ("abcd", "efg", 0),
    ],
)
def test_chunks_are_those_that_llama_server_moves(
    model_of: ModelOf, name: str, first: str, then: str, *, n_cached: int, partitioned: bool
) -> None:
    model = model_of(name)
    texts = Texts(model)
    with Core(model, n_ctx=N_CTX, n_sequences=5, partitioned=partitioned) as core:
        held = held_by(texts(first), run(core, texts(first)))
        before = core.stats()["n_prompt_tokens"]
        result = run(core, texts(then), n_reuse=30)
        n_computed = core.stats()["n_prompt_tokens"] - before
        core.checked_lengths()
    n_plain, expected = plain_reused(model, held, texts(then), N_PREDICT, n_reuse=30, n_ctx=N_CTX)
    assert result.request.n_cached == n_plain
    assert (n_cached, n_computed) == (n_plain, len(texts(then)) - n_plain)
    assert (result.finish, result.n_tokens) == (LENGTH, N_PREDICT)
    assert expected.agrees(result.tokens, ROUNDING)


@pytest.mark.parametrize(
    ("n_reuse", "n_cached"), [(0, 40), (1, 80), (40, 80), (41, 40), (2**31 - 1, 40)]
)
def test_shorter_chunks_are_left(
    tiny: LoadedModel, texts: Texts, n_reuse: int, n_cached: int
) -> None:
    with Core(tiny, n_ctx=N_CTX) as core:
        run(core, texts("abc"), 1)
        # The token in front of it keeps the chunk from being longer.
        result = run(core, [*texts("ac"), *texts("d")], n_reuse=n_reuse)
        assert result.request.n_cached == n_cached


@in_both_layouts
def test_random_prompts_get_what_llama_server_would_give(
    tiny: LoadedModel, partitioned: bool
) -> None:
    rng = np.random.default_rng(89)
    few = tiny.text_tokens()[:3]
    for _ in range(25):
        first, then = ([int(t) for t in rng.choice(few, rng.integers(40, 90))] for _ in range(2))
        n_reuse = int(rng.integers(1, 8))
        with Core(tiny, n_ctx=256, n_parallel=1, partitioned=partitioned) as core:
            held = held_by(first, run(core, first, 5))
            result = run(core, then, 10, n_reuse=n_reuse)
            core.checked_lengths()
        n_plain, expected = plain_reused(tiny, held, then, 10, n_reuse=n_reuse, n_ctx=256)
        if n_plain - n_common(held, then) >= n_reuse:
            assert result.request.n_cached == n_plain
            assert expected.agrees(result.tokens, ROUNDING)
        else:
            assert result.request.n_cached == n_common(held, then)


def n_common(a: list[int], b: list[int]) -> int:
    return next(i for i, (x, y) in enumerate(zip([*a, -1], [*b, -2], strict=False)) if x != y)


@in_both_layouts
@every_uncut
def test_a_memory_that_cannot_move_computes_the_prompt(
    model_of: ModelOf, name: str, partitioned: bool
) -> None:
    model = model_of(name)
    texts = Texts(model)
    prompt = texts("cdg")
    with Core(model, n_ctx=N_CTX, n_parallel=2, partitioned=partitioned) as core:
        run(core, texts("abcd"))
        result = run(core, prompt, n_reuse=30)
        assert result.request.n_cached == 0
    assert plain_greedy(model, prompt, N_PREDICT, ignore_eos=True).agrees(result.tokens, ROUNDING)


class TestSharing:
    @in_both_layouts
    def test_moved_cells_are_offered_to_nobody(
        self, tiny: LoadedModel, texts: Texts, partitioned: bool
    ) -> None:
        prompt = texts("acde")
        expected = plain_greedy(tiny, prompt, N_PREDICT, ignore_eos=True)
        gate = Gated()
        with Core(tiny, n_ctx=1024, n_sequences=5, partitioned=partitioned, decoder=gate) as core:
            first = core.submit(texts("abcd"), 1, params=ENDLESS)
            gate.step()
            core.wait(first)
            moved = core.submit(prompt, N_PREDICT, params=ENDLESS, n_reuse=30)
            for _ in range(3):
                gate.step()
            during = core.submit(prompt, N_PREDICT, params=ENDLESS)
            gate.open()
            core.wait()
            assert moved.request.n_cached == 120
            assert during.request.n_cached == 40
            assert expected.agrees(during.tokens, ROUNDING)
            again = run(core, [*texts("acd"), 5])
            assert again.request.n_cached == 120, "the cells that `during` has computed"
            core.checked_lengths()

    def test_what_did_not_move_is_parked(self, tiny: LoadedModel, texts: Texts) -> None:
        with Core(tiny, n_ctx=1024) as core:
            run(core, texts("abcd"))
            assert run(core, texts("acde"), n_reuse=30).request.n_cached == 120
            assert run(core, texts("acde")).request.n_cached == 40
            core.checked_cells()

    def test_cells_of_a_running_request_are_not_moved(
        self, tiny: LoadedModel, texts: Texts
    ) -> None:
        gate = Gated()
        with Core(tiny, n_ctx=1024, n_sequences=6, decoder=gate) as core:
            first = core.submit(texts("abcd"), 1, params=ENDLESS)
            gate.step()
            core.wait(first)
            live = core.submit(texts("abce"), N_PREDICT, params=ENDLESS)
            gate.step()
            gate.entered.wait()
            refused = core.submit(texts("acdg"), N_PREDICT, params=ENDLESS, n_reuse=30)
            gate.open()
            core.wait()
            assert (live.request.n_cached, refused.request.n_cached) == (120, 40)
            core.checked_cells()
        for prompt, result in ((texts("abce"), live), (texts("acdg"), refused)):
            expected = plain_greedy(tiny, prompt, N_PREDICT, ignore_eos=True)
            assert expected.agrees(result.tokens, ROUNDING)

    def test_parked_sequences_that_share_the_cells_are_given_up(
        self, tiny: LoadedModel, texts: Texts
    ) -> None:
        with Core(tiny, n_ctx=1024, n_sequences=6) as core:
            held = held_by(texts("abcd"), run(core, texts("abcd")))
            run(core, texts("abce"))
            result = run(core, texts("acdg"), n_reuse=30)
            assert run(core, texts("abce")).request.n_cached == 40
            core.checked_cells()
        n_cached, expected = plain_reused(
            tiny, held, texts("acdg"), N_PREDICT, n_reuse=30, n_ctx=N_CTX
        )
        assert result.request.n_cached == n_cached == 120
        assert expected.agrees(result.tokens, ROUNDING)

    def test_another_key_lends_no_chunks(self, tiny: LoadedModel, texts: Texts) -> None:
        with Core(tiny, n_ctx=1024) as core:
            run(core, texts("abcd"), key=1)
            assert run(core, texts("acd"), n_reuse=30, key=2).request.n_cached == 0


@in_both_layouts
@pytest.mark.parametrize("n_keep", [35, 100])
def test_a_context_shifts_over_moved_cells(
    tiny: LoadedModel, texts: Texts, n_keep: int, partitioned: bool
) -> None:
    """Whether what it keeps ends in front of those that moved, or behind."""
    with Core(tiny, n_ctx=N_CTX, n_sequences=5, partitioned=partitioned) as core:
        held = held_by(texts("abcd"), run(core, texts("abcd"), 1))
        result = run(
            core, texts("acde"), 100, n_reuse=30, n_ctx=192, context_shift=True, n_keep=n_keep
        )
        assert core.stats()["n_shifts"] > 0
        assert run(core, texts("acde")).request.n_cached == min(n_keep, 40)
        core.checked_lengths()
    n_cached, expected = plain_reused(
        tiny, held, texts("acde"), 100, n_reuse=30, n_ctx=192, n_keep=n_keep
    )
    assert result.request.n_cached == n_cached == 120
    assert expected.agrees(result.tokens, ROUNDING)


@pytest.mark.parametrize("n_spare_bytes", [0, 1 << 24])
def test_a_preempted_request_keeps_its_moved_cells_in_spare_memory(
    tiny: LoadedModel, n_spare_bytes: int
) -> None:
    """Without, it computes again what it took, behind the common prefix."""
    texts = Texts(tiny, 20)
    gate = Gated()
    with Core(tiny, n_ctx=256, decoder=gate, n_spare_bytes=n_spare_bytes) as core:
        first = core.submit(texts("abcd"), 1, params=ENDLESS)
        gate.step()
        core.wait(first)
        result = core.submit(texts("acde"), 150, params=ENDLESS, n_reuse=15)
        for _ in range(20):
            gate.step()
        urgent = core.submit([1, 2, 3], 200, params=ENDLESS, priority_ns=10**12)
        gate.open()
        core.wait()
        assert core.stats()["n_preempted"] > 0
        assert (urgent.n_tokens, result.n_tokens) == (200, 150)
        core.checked_cells()
    n_cached, expected = plain_reused(
        tiny, texts("abcd"), texts("acde"), 150, n_reuse=15, n_ctx=256
    )
    assert result.request.n_cached == n_cached == 60
    if n_spare_bytes:
        assert expected.agrees(result.tokens, ROUNDING)


class TestStartingAnew:
    """`starts_anew`: nothing of others, though others may use what it leaves."""

    @in_both_layouts
    def test_nothing_that_is_parked_or_live_is_used(
        self, tiny: LoadedModel, texts: Texts, partitioned: bool
    ) -> None:
        gate = Gated()
        with Core(tiny, n_ctx=1024, n_sequences=5, partitioned=partitioned, decoder=gate) as core:
            parked = core.submit(texts("abc"), 1)
            gate.step()
            core.wait(parked)
            live = core.submit(texts("abd"), 4, starts_anew=True, n_reuse=1)
            gate.entered.wait()
            beside = core.submit(texts("abd"), 4, starts_anew=True)
            gate.open()
            core.wait()
            results = (parked, live, beside)
            assert [result.request.n_cached for result in results] == [0, 0, 0]
            assert core.stats()["n_prompt_tokens"] == 360
            assert run(core, texts("abde")).request.n_cached == 120
            core.checked_lengths()

    @every_uncut
    def test_no_checkpoint_is_used(self, model_of: ModelOf, name: str) -> None:
        model = model_of(name)
        prompt = Texts(model)("abc")
        with Core(model, n_ctx=N_CTX) as core:
            assert run(core, prompt).request.n_cached == 0
            assert run(core, prompt, starts_anew=True).request.n_cached == 0
            assert run(core, prompt).request.n_cached > 80


class TestSecondTier:
    @in_both_layouts
    def test_what_is_taken_over_is_saved_before(
        self, tiny: LoadedModel, texts: Texts, partitioned: bool
    ) -> None:
        with Core(tiny, n_ctx=1024, partitioned=partitioned, second=SecondTier()) as core:
            run(core, texts("abcd"))
            assert run(core, texts("acde"), n_reuse=30).request.n_cached == 120
            again = run(core, [*texts("abcd"), 5])
            assert again.request.n_cached == 160
            core.checked_lengths()
        expected = plain_greedy(tiny, [*texts("abcd"), 5], N_PREDICT, ignore_eos=True)
        assert expected.agrees(again.tokens, ROUNDING)

    @in_both_layouts
    def test_who_starts_anew_takes_nothing_from_there(
        self, tiny: LoadedModel, texts: Texts, partitioned: bool
    ) -> None:
        """Three sequences hold the last prompts, the tier those before."""
        options = {"n_parallel": 2, "partitioned": partitioned}
        with Core(tiny, n_ctx=1024, second=SecondTier(), **options) as core:
            for letters in "abcdef":
                run(core, texts(letters * 3))
            assert run(core, texts("aaa"), starts_anew=True).request.n_cached == 0
            assert run(core, texts("bbb")).request.n_cached > 80


@in_both_layouts
@pytest.mark.parametrize("has_tier", [False, True], ids=["", "tier"])
@pytest.mark.parametrize("n_spare_bytes", [0, 300_000])
def test_two_hundred_random_requests_end_and_the_books_are_right(
    tiny: LoadedModel, n_spare_bytes: int, partitioned: bool, has_tier: bool
) -> None:
    rng = np.random.default_rng(97)
    texts = Texts(tiny, 12)
    options: dict[str, Any] = {"n_batch": 64, "n_ubatch": 32, "n_spare_bytes": n_spare_bytes}
    options |= {"second": SecondTier(1 << 20)} if has_tier else {}
    options |= {"n_draft_rows": 32, "ngram_min": 2}
    with Core(tiny, n_ctx=256, partitioned=partitioned, **options) as core:
        for i in range(200):
            letters = "".join(rng.choice(list("abcdefgh"), rng.integers(1, 9)))
            shifts = bool(rng.random() < 0.3)
            result = core.submit(
                [*texts(letters), i],
                int(rng.integers(1, 80)),
                params=ENDLESS,
                n_reuse=int(rng.integers(0, 12)),
                n_draft_max=int(rng.integers(0, 8)),
                starts_anew=bool(rng.random() < 0.1),
                context_shift=shifts,
                n_keep=int(rng.integers(0, 60)),
                n_ctx=128 if shifts else 0,
                priority_ns=int(rng.integers(0, 3)) * 10**9,
            )
            if rng.random() < 0.1:
                result.request.cancel()
        core.wait()
        core.checked_lengths()
        stats = core.stats()
        assert {result.finish for result in core.results} <= {LENGTH, CANCELLED}
        assert all(r.n_tokens == r.request.n_output == len(r.tokens) for r in core.results)
    assert stats["n_output_tokens"] == sum(r.n_tokens for r in core.results)
    assert stats["n_cached_tokens"] > 0
