"""Where a generation ends: n_predict, the end of the context, stop strings, end of generation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.core.conftest import ModelOf
from tests.core.plain_greedy import plain_greedy
from tests.core.running import EOG, GREEDY, LENGTH, STOP, Core, LoadedModel

ENDLESS = GREEDY.replace(ignore_eos=True)
N_CTX = 256


@pytest.fixture(name="core")
def small_core(tiny: LoadedModel) -> Iterator[Core]:
    with Core(tiny, n_ctx=N_CTX) as core:
        yield core


def text_of(model: LoadedModel, tokens: list[int]) -> bytes:
    return model.vocab.detokenize(np.array(tokens, np.int32))


@pytest.mark.parametrize("n_prompt", [1, 64, 65, N_CTX - 1])
def test_n_predict_0_computes_the_prompt_and_samples_nothing(core: Core, n_prompt: int) -> None:
    result = core.run(range(n_prompt), 0)
    assert (result.finish, result.tokens, result.text, result.n_events) == (LENGTH, [], b"", 1)
    stats = core.stats()
    assert (stats["n_prompt_tokens"], stats["n_output_tokens"]) == (n_prompt, 0)
    assert core.checked_cells() == n_prompt
    assert core.run([*range(n_prompt)], 0).request.n_cached == n_prompt - 1


def test_no_limit_goes_to_the_end_of_the_context(core: Core) -> None:
    result = core.run([1, 2, 3], -1, params=ENDLESS)
    assert (result.finish, result.request.n_output) == (LENGTH, N_CTX - 3)
    assert core.stats()["n_cells_used"] == N_CTX - 1


def test_a_prompt_that_leaves_one_cell_gets_one_token(core: Core) -> None:
    result = core.run(range(N_CTX - 1), -1, params=ENDLESS)
    assert (result.finish, result.request.n_output) == (LENGTH, 1)


@pytest.mark.parametrize("n_predict", [1, 2, 17, N_CTX, 10**6])
def test_n_predict_is_the_number_of_tokens_or_the_context_is(core: Core, n_predict: int) -> None:
    result = core.run([1, 2, 3], n_predict, params=ENDLESS)
    assert result.request.n_output == result.n_tokens == min(n_predict, N_CTX - 3)


def test_the_text_is_the_tokens_pieces(core: Core, tiny: LoadedModel) -> None:
    result = core.run([1, 2, 3], 200, params=ENDLESS)
    assert result.text == text_of(tiny, result.tokens)


def test_an_end_of_generation_token_ends_it_and_says_nothing(model_of: ModelOf) -> None:
    """Sampled hot, so that one comes soon."""
    model = model_of("llama")
    hot = GREEDY.replace(temperature=5.0, top_k=0, top_p=1.0, min_p=0.0)
    with Core(model, n_ctx=4096) as core:
        results = [core.submit([i, 1], 2000, params=hot.replace(seed=i)) for i in range(8)]
        core.wait()
    ended = [result for result in results if result.finish == EOG]
    assert len(ended) >= 4
    for result in ended:
        assert result.tokens[-1] in model.vocab.end_of_generation
        assert not set(result.tokens[:-1]) & set(model.vocab.end_of_generation)
        assert result.text == text_of(model, result.tokens)


def test_ignore_eos_never_samples_an_end(model_of: ModelOf) -> None:
    model = model_of("llama")
    hot = ENDLESS.replace(temperature=5.0, top_k=0, top_p=1.0, min_p=0.0)
    with Core(model, n_ctx=4096) as core:
        for i in range(8):
            core.submit([i, 1], 480, params=hot.replace(seed=i))
        core.wait()
        assert {result.finish for result in core.results} == {LENGTH}
        for result in core.results:
            assert not set(result.tokens) & set(model.vocab.end_of_generation)


@pytest.mark.parametrize("kind", ["packaged", "llama"])
def test_stop_strings_across_tokens_end_the_output_before_them(
    model_of: ModelOf, kind: str
) -> None:
    """Every window of the output's bytes is a stop string once; its first place is the end."""
    model = model_of(kind)
    prompt = model.random_prompt(np.random.default_rng(41), 12)
    with Core(model, n_ctx=2048, n_parallel=8) as core:
        whole = core.run(prompt, 24, params=ENDLESS).text
        stops = [whole[i : i + n] for n in (2, 3, 7) for i in range(0, len(whole) - n, 3)]
        results = [core.submit(prompt, 24, params=ENDLESS, stops=[b"\0never", s]) for s in stops]
        core.wait()
    for stop, result in zip(stops, results, strict=True):
        assert (result.finish, result.request.i_stop) == (STOP, 1)
        assert result.text == whole[: whole.index(stop)]
        tokens = result.tokens
        assert stop in text_of(model, tokens)
        assert stop not in text_of(model, tokens[:-1]), "a surplus token"


def test_an_output_token_is_counted_in_exactly_one_event(core: Core) -> None:
    result = core.run([9, 8, 7], 100, params=ENDLESS, stops=[b"never to be seen"])
    assert result.n_tokens == result.request.n_output == 100
    assert core.stats()["n_output_tokens"] == 100


def test_a_greedy_output_ends_where_plain_llamas_ends(core: Core, tiny: LoadedModel) -> None:
    rng = np.random.default_rng(42)
    for _ in range(10):
        prompt = tiny.random_prompt(rng, 5)
        assert core.run(prompt, 100).tokens == plain_greedy(tiny, prompt, 100).tokens
