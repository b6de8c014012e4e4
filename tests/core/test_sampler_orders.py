"""Any order of any samplers chooses the tokens that llama.cpp's `common_sampler` chooses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import llama_cpp
import numpy as np
import pytest

from llamabox import GenerationParams, InvalidRequest
from llamabox._core import chain
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from llamabox.samplers import DEFAULT_SAMPLERS, samplers_from_chars, samplers_from_names
from tests.core.common_sampler import Logits
from tests.core.sampling import N_CTX, Pair, assert_same, random_logits, rounded

N_ROWS = 12
ORDERS = (
    "edskypmxt",  # the default
    "kpmt",
    "tkpm",
    "mkpt",
    "tmp",
    "pkt",
    "mxt",
    "ykt",
    "sket",
    "skpt",
    "xkt",
    "ket",
    "tek",
    "ept",
    "pmkxyste",
    "kkptt",
    "kpta",
    "eta",
    "t",
    "",
)


def random_params(rng: np.random.Generator, order: str, n_vocab: int) -> GenerationParams:
    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    biased = rng.choice(n_vocab, 6, replace=False).tolist()
    return GenerationParams(
        samplers=samplers_from_chars(order),
        temperature=one_of(0.0, 0.2, 0.8, 1.0, 1.7),
        dynatemp_range=one_of(0.0, 0.0, 0.5, 2.0),
        dynatemp_exponent=one_of(1.0, 0.6),
        top_k=one_of(0, 1, 7, 40, 40, 128, 129, 300, n_vocab, 10 * n_vocab),
        top_p=one_of(1.0, 0.95, 0.5),
        min_p=one_of(0.0, 0.05, 0.3, 1.0),
        typical_p=one_of(1.0, 1.0, 0.9, 0.3),
        top_n_sigma=one_of(-1.0, 0.0, 1.0, 2.5),
        xtc_probability=one_of(0.0, 0.5, 1.0),
        xtc_threshold=one_of(0.1, 0.02, 0.6),
        min_keep=one_of(0, 0, 1, 5),
        repeat_last_n=one_of(64, 8, -1, 0, 10_000),
        repeat_penalty=one_of(1.0, 1.3, 0.8),
        presence_penalty=one_of(0.0, 0.7, -0.5),
        frequency_penalty=one_of(0.0, 0.3),
        logit_bias=one_of((), tuple((t, one_of(2.5, -1.0, -math.inf)) for t in biased)),
        adaptive_target=one_of(-1.0, 0.3, 0.8),
        adaptive_decay=one_of(0.9, 0.5),
        seed=int(rng.integers(2**32 - 2)),
    )


def rows_of(rng: np.random.Generator, n_vocab: int, *, ties: bool = False) -> Iterator[Logits]:
    for _ in range(N_ROWS):
        row = random_logits(rng, n_vocab)
        yield rounded(row) if ties else row


def is_sane(params: GenerationParams) -> bool:
    """Not what llama.cpp makes NaN of: a typical_p after others are masked, not taken out."""
    order = params.samplers
    if "typ_p" not in order or params.typical_p >= 1:
        return True
    before = order[: order.index("typ_p")]
    masks = params.top_n_sigma > 0 and "top_n_sigma" in before
    return not masks and not (params.temperature <= 0 and "temperature" in before)


@pytest.mark.parametrize("n_vocab", [200, 5_000, 40_000])
@pytest.mark.parametrize("order", ORDERS)
def test_orders(order: str, n_vocab: int) -> None:
    rng = np.random.default_rng([n_vocab, *order.encode()])
    for _ in range(8 if n_vocab < 10_000 else 3):
        params = random_params(rng, order, n_vocab)
        prompt = rng.choice(n_vocab, 50).tolist()
        if is_sane(params):
            assert_same(params, rows_of(rng, n_vocab), n_vocab=n_vocab, prompt=prompt)


@pytest.mark.parametrize("order", ["edskypmxt", "kpt", "tkpm", "mt", "tmk", "ptk", "k", "m"])
@pytest.mark.parametrize("n_vocab", [200, 5_000, 40_000])
def test_equal_logits(order: str, n_vocab: int) -> None:
    """Equal logits are ordered as the sort of the whole vocabulary leaves them."""
    rng = np.random.default_rng(n_vocab)
    for top_k in 3, 40, 128, 129, 500:
        params = GenerationParams(
            samplers=samplers_from_chars(order), top_k=top_k, min_p=0.05, seed=top_k
        )
        rows = rows_of(rng, n_vocab, ties=True)
        assert_same(params, rows, n_vocab=n_vocab, prompt=[1])


@pytest.mark.parametrize("mirostat", [1, 2])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
def test_mirostat(mirostat: int, temperature: float) -> None:
    rng = np.random.default_rng(mirostat)
    params = GenerationParams(
        mirostat=mirostat, temperature=temperature, mirostat_tau=3.0, repeat_penalty=1.5, seed=3
    )
    assert_same(params, rows_of(rng, 5_000), n_vocab=5_000, prompt=[1, 2, 3])


@pytest.mark.parametrize("order", ["edskypmxt", "kpmt", "ekt", "st", "pmt"])
def test_greedy(order: str) -> None:
    rng = np.random.default_rng(5)
    params = GenerationParams(
        samplers=samplers_from_chars(order), temperature=0.0, repeat_penalty=1.4, seed=0
    )
    prompt = rng.choice(5_000, 64).tolist()
    assert_same(params, rows_of(rng, 5_000), n_vocab=5_000, prompt=prompt)


def test_greedy_takes_the_lowest_of_equals() -> None:
    row = np.full(5_000, -3, np.float32)
    row[[4_000, 17, 900]] = 2
    sampler = Sampler(llama_cpp, len(row), N_CTX, GenerationParams(temperature=0.0, seed=0))
    assert sampler.sample(Library(llama_cpp), row, np.zeros(0, np.int32)) == 17


def test_greedy_xtc_and_dynamic_temperature_are_no_argmax() -> None:
    """A temperature of 0 comes after what may take the best token out."""
    rng = np.random.default_rng(8)
    for change in ({"xtc_probability": 1.0}, {"typical_p": 0.2}, {"dynatemp_range": 1.0}):
        params = GenerationParams(temperature=0.0, xtc_threshold=0.01, seed=4).replace(**change)
        assert_same(params, rows_of(rng, 5_000), n_vocab=5_000, prompt=[1])


PLANS = (
    ({}, chain.TOP_K),
    ({"temperature": 0.0}, chain.GREEDY),
    ({"temperature": 0.0, "mirostat": 2}, chain.GREEDY),
    ({"temperature": 0.0, "xtc_probability": 0.5}, chain.TOP_K),
    ({"mirostat": 1}, chain.FULL),
    ({"top_k": 0}, chain.FULL),
    ({"top_k": 0, "top_p": 1.0}, chain.MIN_P),
    ({"top_n_sigma": 1.0}, chain.FULL),
    ({"top_k": 1_000}, chain.FULL),
    ({"samplers": samplers_from_chars("tk")}, chain.TOP_K),
    ({"samplers": samplers_from_chars("tm")}, chain.MIN_P),
    ({"samplers": samplers_from_chars("ekt"), "repeat_penalty": 1.2}, chain.TOP_K),
    ({"samplers": samplers_from_chars("tek"), "repeat_penalty": 1.2}, chain.FULL),
    ({"samplers": samplers_from_chars("tek")}, chain.TOP_K),
    ({"samplers": samplers_from_chars("xk"), "xtc_probability": 0.5}, chain.FULL),
    ({"samplers": samplers_from_chars("kta")}, chain.TOP_K),
    ({"samplers": ()}, chain.FULL),
)


@pytest.mark.parametrize(("options", "plan"), PLANS)
def test_prune_plan(options: dict[str, Any], plan: int) -> None:
    parts = chain.build_parts(
        llama_cpp, GenerationParams(seed=0, **options), n_vocab=1_000, n_ctx=64
    )
    assert parts.prune == plan
    parts.free(llama_cpp)


def test_probabilities_are_those_sampled_from() -> None:
    rng = np.random.default_rng(2)
    params = GenerationParams(seed=5, xtc_probability=0.5)
    pair = Pair(params, n_vocab=5_000, prompt=[1])
    for row in rows_of(rng, 5_000):
        token, found = pair.ours.sample_probs(pair.library, row, np.array([1], np.int32), 5)
        candidates = pair.theirs.sample(row)
        expected = candidates.probabilities()
        assert token == candidates.selected
        assert [p for _, p in found] == sorted(expected.values(), reverse=True)[:5]
        assert all(expected[token] == p for token, p in found)


def test_nothing_above_minus_infinity() -> None:
    row = np.full(5_000, -np.inf, np.float32)
    for options in (
        {},
        {"temperature": 0.0},
        {"top_k": 0},
        {"mirostat": 2},
        {"top_k": 0, "top_p": 1.0},
    ):
        sampler = Sampler(llama_cpp, len(row), N_CTX, GenerationParams(seed=0, **options))
        assert sampler.sample(Library(llama_cpp), row, np.zeros(0, np.int32)) == -1


def test_a_biased_token_must_exist() -> None:
    with pytest.raises(InvalidRequest, match="token 100") as error:
        Sampler(llama_cpp, 100, N_CTX, GenerationParams(seed=0, logit_bias=((100, 1.0),)))
    assert error.value.param == "logit_bias"


def test_sampler_spellings() -> None:
    assert samplers_from_chars("edskypmxt") == DEFAULT_SAMPLERS
    assert samplers_from_names(["Top-K", "topp", "nucleus", "temp", "adaptive-p"]) == (
        "top_k",
        "top_p",
        "top_p",
        "temperature",
        "adaptive_p",
    )
    with pytest.raises(InvalidRequest, match="'q'"):
        samplers_from_chars("kq")
    with pytest.raises(InvalidRequest, match="top_q"):
        samplers_from_names(["top_q"])
