"""DRY: applied to the tokens it looks back at, it does what it does over the whole vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import llama_cpp
import numpy as np
import pytest

from llamabox import GenerationParams
from llamabox._core.dry import MOST_BREAKERS, DrySamplers, MakeDry
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from llamabox.samplers import samplers_from_chars
from tests.core.common_sampler import loaded_vocabulary
from tests.core.sampling import N_CTX, Pair, random_logits, repeating_logits
from tests.models.random_gguf import N_VOCAB, write_vocabulary

N_ROWS = 60


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path = write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "bytes.gguf")
    with loaded_vocabulary(path) as address:
        yield address


def repetitive_prompt(rng: np.random.Generator) -> list[int]:
    """A phrase over and over, with other tokens and breakers here and there."""
    phrase = rng.choice(N_VOCAB, 9).tolist()
    prompt = []
    for _ in range(12):
        prompt += phrase[: rng.integers(3, 10)]
        prompt += rng.choice([*range(20), *map(ord, '\n:"*')], rng.integers(0, 3)).tolist()
    return prompt


def assert_same_repeating(
    params: GenerationParams,
    vocab: int,
    n_vocab: int,
    seed: int,
    make_dry: MakeDry | None = None,
) -> int:
    """Both choose the same; returns how often DRY changed the choice."""
    rng = np.random.default_rng(seed)
    prompt = repetitive_prompt(rng)
    pair = Pair(params, n_vocab=n_vocab, prompt=prompt, vocab=vocab, make_dry=make_dry)
    without = Pair(params.replace(dry_multiplier=0.0), n_vocab=n_vocab, prompt=prompt)
    n_changed = 0
    for i in range(N_ROWS):
        row = repeating_logits(rng, n_vocab, pair.history)
        token, reference = pair.sample(row)
        assert token == reference, (i, params)
        n_changed += without.sample(row)[1] != reference
        without.history[-1] = reference
    pair.theirs.close()
    without.theirs.close()
    return n_changed


@pytest.mark.parametrize("order", ["edskypmxt", "dkt", "dekt", "kdt", "tdk", "dm", "dpt", "pdkt"])
@pytest.mark.parametrize("allowed_length", [0, 1, 2, 4])
def test_any_place(vocab: int, order: str, allowed_length: int) -> None:
    params = GenerationParams(
        samplers=samplers_from_chars(order),
        dry_multiplier=0.9,
        dry_allowed_length=allowed_length,
        repeat_penalty=1.1,
        temperature=0.6,
        seed=allowed_length,
    )
    n_changed = sum(
        assert_same_repeating(params, vocab, n_vocab, seed)
        for n_vocab, seed in ((N_VOCAB, 1), (6_000, 2))
    )
    assert n_changed > 0


@pytest.mark.parametrize("last_n", [0, 1, 7, 64, -1, 100_000])
@pytest.mark.parametrize(
    "breakers", [(), ("\n",), ("\n", ":", '"', "*"), ("th", "en the", "x" * 60)]
)
def test_windows_and_breakers(vocab: int, last_n: int, breakers: tuple[str, ...]) -> None:
    params = GenerationParams(
        dry_multiplier=2.0,
        dry_base=1.2,
        dry_penalty_last_n=last_n,
        dry_sequence_breakers=breakers,
        min_p=0.01,
        seed=7,
    )
    assert_same_repeating(params, vocab, N_VOCAB, 3)


def test_greedy(vocab: int) -> None:
    params = GenerationParams(dry_multiplier=5.0, temperature=0.0, seed=0)
    assert assert_same_repeating(params, vocab, N_VOCAB, 4) > 0


class Counting:
    """The binding, with the samplers that it has made and freed."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name.removeprefix("llama_sampler_"))
        return getattr(llama_cpp, name)


def test_a_copy_of_one_that_was_made_before(vocab: int) -> None:
    """What the first has seen of its own tokens is not copied."""
    binding = Counting()
    samplers = DrySamplers(binding)
    params = GenerationParams(dry_multiplier=5.0, temperature=0.0, seed=0)
    n_changed = [
        assert_same_repeating(params, vocab, N_VOCAB, seed, samplers.make) for seed in (4, 6, 7)
    ]
    assert min(n_changed) > 0
    assert binding.calls.count("init_dry") == 1


def test_those_that_were_made_last_are_kept(vocab: int) -> None:
    binding = Counting()
    owners = [DrySamplers(binding)]

    def make(allowed_length: int, n_breakers: int = 4) -> int:
        """Calls that look for breakers."""
        n_before = binding.calls.count("init_dry")
        breakers = tuple("abcdefghijk"[:n_breakers])
        params = GenerationParams(
            dry_multiplier=1.0, dry_allowed_length=allowed_length, dry_sequence_breakers=breakers
        )
        binding.llama_sampler_free(owners[0].make(vocab, params, N_CTX))
        return binding.calls.count("init_dry") - n_before

    assert [make(length) for length in (1, 1, 2, 1)] == [1, 0, 1, 0]
    assert [make(length) for length in (3, 4, 5)] == [1, 1, 1]
    assert [make(length) for length in (1, 2)] == [0, 1], "of those kept, the oldest is dropped"
    assert [make(1, MOST_BREAKERS + 1) for _ in range(2)] == [1, 1], "many breakers take much room"
    owners.clear()
    n_made = sum(binding.calls.count(name) for name in ("init_dry", "clone"))
    assert binding.calls.count("free") == n_made


@pytest.mark.parametrize("options", [{"dry_base": 0.5}, {"dry_penalty_last_n": 0}])
def test_off(vocab: int, options: dict[str, float]) -> None:
    params = GenerationParams(dry_multiplier=5.0, seed=0).replace(**options)
    assert assert_same_repeating(params, vocab, N_VOCAB, 5) == 0


def test_breaks_a_loop(vocab: int) -> None:
    """A model that would say the same three tokens for ever is made to stop."""
    library = Library(llama_cpp)
    params = GenerationParams(temperature=0.0, dry_multiplier=1.0, seed=0)
    sampler = Sampler(llama_cpp, N_VOCAB, N_CTX, params, vocab=vocab)
    history = [65, 66, 67]
    sampler.start(library, np.array(history, np.int32))
    for _ in range(40):
        row = np.zeros(N_VOCAB, np.float32)
        row[65 + len(history) % 3] = 4
        history.append(sampler.sample(library, row, np.array(history, np.int32)))
    assert history[:6] == [65, 66, 67] * 2
    assert history != ([65, 66, 67] * 20)[: len(history)]


def test_needs_the_vocabulary() -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        Sampler(llama_cpp, N_VOCAB, N_CTX, GenerationParams(dry_multiplier=1.0, seed=0))


@pytest.mark.parametrize("order", ["kit", "ikt", "it"])
def test_infill(vocab: int, order: str) -> None:
    rng = np.random.default_rng(9)
    params = GenerationParams(samplers=samplers_from_chars(order), seed=2)
    pair = Pair(params, n_vocab=N_VOCAB, prompt=[1, 2], vocab=vocab)
    for _ in range(30):
        token, reference = pair.sample(random_logits(rng, N_VOCAB))
        assert token == reference
    pair.theirs.close()
