"""Sampling from pruned candidates gives the tokens of llama.cpp's chain over all of them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np
import pytest

from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from llamabox.params import GenerationParams
from llamabox.ranges import MAX_SEED
from tests.core.plain_chain import Logits, PlainChain

LIBRARY = Library(llama_cpp)
N_CTX = 256
N_DRAWS = 6
SIZES = [512, 513, 575, 577, 1000, 2048, 4096]
BIG_SIZES = [32_000, 128_256, 151_936]
GRID: dict[str, list[Any]] = {
    "top_k": [-1, 0, 1, 2, 5, 40, 64, 129, 500, 10**6],
    "top_p": [0.0, 0.1, 0.5, 0.9, 0.95, 1.0, 1.0, 1.0],
    "min_p": [0.0, 0.0, 0.001, 0.05, 0.1, 0.5, 1.0],
    "temperature": [0.1, 0.5, 0.8, 1.0, 1.7, 10.0],
    "repeat_last_n": [0, 5, 64, -1],
    "repeat_penalty": [1.0, 1.0, 1.1, 2.0, 0.8],
    "frequency_penalty": [0.0, 0.0, 0.3, -0.5],
    "presence_penalty": [0.0, 0.0, 1.5, -0.2],
}


@dataclasses.dataclass
class Setting:
    """A sampler's parameters, what came before, and the logits of each draw."""

    params: GenerationParams
    banned: list[int]
    history: list[int]
    rows: list[Logits]


def distinct_logits(rng: np.random.Generator, n: int) -> Logits:
    """Different values in a random order, a random share of them -inf, one at least finite."""
    scale = rng.choice([0.5, 2.0, 5.0])
    values = np.unique(rng.normal(0, scale, 2 * n + 64).astype(np.float32))
    values = np.concatenate([values, values[-1] + 1 + np.arange(max(0, n - len(values)))])
    logits = rng.permutation(values)[:n].astype(np.float32)
    share = rng.choice([0.0, 0.0, 0.5, 0.99])
    masked = rng.random(n) < share
    masked[rng.integers(n)] = False
    logits[masked] = -np.inf
    return logits


def random_setting(seed: int, n_vocab: int, n_draws: int = N_DRAWS, **fixed: Any) -> Setting:
    rng = np.random.default_rng(seed)
    chosen = {name: rng.choice(values).item() for name, values in GRID.items()} | fixed
    params = GenerationParams(seed=int(rng.integers(MAX_SEED + 1)), **chosen)
    familiar = rng.integers(0, n_vocab, 20)
    history = [int(t) for t in rng.choice(familiar, int(rng.choice([0, 1, 4, 100, 300])))]
    banned = [int(t) for t in rng.integers(0, n_vocab, int(rng.choice([0, 0, 3])))]
    rows = [distinct_logits(rng, n_vocab) for _ in range(n_draws)]
    for row in rows:
        row[familiar[:5]] = row.max() + rng.uniform(0.1, 5, 5).astype(np.float32)
    return Setting(params, banned, history, rows)


def ours(setting: Setting) -> list[int]:
    n_vocab = len(setting.rows[0])
    sampler = Sampler(llama_cpp, n_vocab, N_CTX, setting.params, setting.banned)
    history = list(setting.history)
    sampler.start(LIBRARY, np.array(history, np.int32))
    tokens = []
    for row in setting.rows:
        tokens.append(sampler.sample(LIBRARY, row.copy(), np.array(history, np.int32)))
        history.append(tokens[-1])
    return tokens


def plain(setting: Setting) -> list[int]:
    n_vocab = len(setting.rows[0])
    chain = PlainChain(n_vocab, N_CTX, setting.params, setting.banned, setting.history)
    tokens = [chain.sample(row) for row in setting.rows]
    chain.close()
    return tokens


def differing(settings: Sequence[Setting]) -> list[tuple[Any, list[int], list[int]]]:
    return [(s.params, ours(s), plain(s)) for s in settings if ours(s) != plain(s)]


def test_a_thousand_random_settings_give_the_chains_tokens() -> None:
    sizes = random.Random(0)
    settings = [random_setting(seed, sizes.choice(SIZES)) for seed in range(1_000)]
    assert differing(settings) == []


@pytest.mark.parametrize("n_vocab", BIG_SIZES)
def test_big_vocabularies_give_the_chains_tokens(n_vocab: int) -> None:
    assert differing([random_setting(seed, n_vocab, n_draws=3) for seed in range(12)]) == []


@pytest.mark.parametrize(
    "fixed",
    [
        dict(top_k=0, top_p=1.0, min_p=0.05),
        dict(top_k=0, top_p=1.0, min_p=0.0),
        dict(top_k=0, top_p=0.9, min_p=0.0),
        dict(top_k=512, top_p=1.0, min_p=0.1),
        dict(top_k=10_000, top_p=0.5, min_p=0.1),
        dict(top_k=40, top_p=1.0, min_p=0.0),
        dict(top_k=511, top_p=1.0, min_p=0.0),
    ],
    ids=str,
)
def test_each_way_of_pruning_gives_the_chains_tokens(fixed: dict[str, Any]) -> None:
    assert differing([random_setting(seed, 512, **fixed) for seed in range(60)]) == []


@pytest.mark.parametrize("fixed", [{}, dict(top_k=40, top_p=1.0, min_p=0.0, repeat_last_n=0)])
def test_a_row_with_one_candidate_left_uses_the_rng_as_the_chain_does(
    fixed: dict[str, Any],
) -> None:
    settings = [random_setting(seed, 512, n_draws=8, **fixed) for seed in range(100)]
    for setting in settings:
        for row in setting.rows[::2]:
            row[np.arange(512) != 100] = -np.inf
            row[100] = 1.0
    assert differing(settings) == []


def test_greedy_is_the_best_penalised_token() -> None:
    settings = [random_setting(seed, 600, temperature=0.0) for seed in range(300)]
    assert differing(settings) == []


def test_greedy_takes_the_lowest_of_equal_tokens() -> None:
    rng = np.random.default_rng(3)
    for n in (1, 5, 63, 64, 65, 512, 1000):
        row = rng.integers(0, 3, n).astype(np.float32)
        setting = Setting(GenerationParams(temperature=0, seed=0), [], [], [row])
        assert ours(setting) == [int(np.argmax(row))]


def test_a_seed_repeats_its_tokens_and_another_gives_others() -> None:
    setting = random_setting(
        5, 512, n_draws=30, top_k=0, top_p=1.0, min_p=0.0, temperature=10.0, repeat_penalty=1.0
    )
    assert ours(setting) == ours(setting)
    other = dataclasses.replace(setting, params=setting.params.replace(seed=1))
    assert ours(setting) != ours(other)


def test_banned_tokens_are_never_sampled() -> None:
    for seed in range(50):
        setting = random_setting(seed, 512)
        best = int(np.argmax(setting.rows[0]))
        setting.banned = sorted({best, *setting.banned})
        assert best not in ours(setting)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("top_k", [0, 40])
@pytest.mark.parametrize(("top_p", "min_p"), [(1.0, 0.1), (0.9, 0.0)])
@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_row_without_a_finite_logit_gives_no_token(
    value: float, top_k: int, top_p: float, min_p: float, temperature: float
) -> None:
    params = GenerationParams(
        seed=0, top_k=top_k, top_p=top_p, min_p=min_p, temperature=temperature
    )
    row = np.full(512, value, np.float32)
    assert ours(Setting(params, [], [], [row])) == [-1]


def test_a_nan_among_the_logits_is_never_sampled() -> None:
    rng = np.random.default_rng(8)
    for seed in range(100):
        setting = random_setting(seed, 512, n_draws=1)
        strange = rng.choice(512, 40, replace=False)
        setting.rows[0][strange] = np.nan
        setting.rows[0][0] = 3.0
        assert ours(setting)[0] in set(range(512)) - set(strange.tolist()) | {0}
