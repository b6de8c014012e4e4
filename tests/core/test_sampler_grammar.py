"""Grammars: checked after sampling, a mask only for what they reject; as `common_sampler` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import llama_cpp
import numpy as np
import pytest

from llamabox import GenerationParams, InvalidRequest
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from llamabox.samplers import samplers_from_chars
from tests.core.common_sampler import loaded_vocabulary
from tests.core.sampling import N_CTX, Pair
from tests.models.random_gguf import EOS, N_VOCAB, write_vocabulary

LETTERS = 'root ::= [a-z ]+ "." [0-9]*'
JSON = """root ::= object
object ::= "{" ws ( pair ( "," ws pair )* )? "}"
pair ::= string ":" ws value
value ::= object | string | number | "true" | "false"
string ::= "\\"" [a-z]* "\\"" ws
number ::= [0-9]+ ws
ws ::= [ \\n]?
"""


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path = write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "bytes.gguf")
    with loaded_vocabulary(path) as address:
        yield address


@pytest.mark.parametrize("grammar", [LETTERS, JSON])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.0},
        {"top_k": 0, "top_p": 1.0, "min_p": 0.02},
        {"top_k": 0, "top_p": 0.8},
        {"xtc_probability": 0.5, "min_p": 0.01},
        {"mirostat": 1},
        {"mirostat": 2},
        {"samplers": samplers_from_chars("ekta"), "adaptive_target": 0.4},
        {"repeat_penalty": 1.4, "dry_multiplier": 0.8},
        {"logit_bias": ((ord("e"), 3.0), (ord("a"), -np.inf))},
    ],
)
def test_same_tokens(vocab: int, grammar: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    for seed in range(3):
        params = GenerationParams(grammar=grammar, seed=seed, **options)
        pair = Pair(params, n_vocab=N_VOCAB, prompt=[65, 66], vocab=vocab)
        for i in range(60):
            row = (rng.standard_normal(N_VOCAB) * 2).astype(np.float32)
            row[EOS] = -9
            token, reference = pair.sample(row)
            assert token == reference, (i, params)
            if reference == EOS:
                break


def test_what_fits_is_not_masked(vocab: int) -> None:
    """Of a token that fits, the draw is the one without a grammar."""
    rng = np.random.default_rng(6)
    library = Library(llama_cpp)
    params = GenerationParams(seed=3, top_k=5, min_p=0.0, top_p=1.0)
    free = Sampler(llama_cpp, N_VOCAB, N_CTX, params, vocab=vocab)
    bound = Sampler(llama_cpp, N_VOCAB, N_CTX, params.replace(grammar=LETTERS), vocab=vocab)
    letters = np.arange(ord("a"), ord("z") + 1)
    history = np.zeros(0, np.int32)
    for _ in range(30):
        row = rng.standard_normal(N_VOCAB).astype(np.float32)
        row[letters] += 20
        assert bound.sample(library, row, history) == free.sample(library, row, history)


def test_nothing_fits(vocab: int) -> None:
    """Where the grammar is at its end and the end of generation is banned."""
    library = Library(llama_cpp)
    params = GenerationParams(grammar='root ::= "a"', temperature=0.0, seed=0)
    banned = [t for t in range(N_VOCAB) if llama_cpp.llama_vocab_is_eog(vocab, t)]
    sampler = Sampler(llama_cpp, N_VOCAB, N_CTX, params, banned, vocab=vocab)
    row = np.zeros(N_VOCAB, np.float32)
    assert sampler.sample(library, row, np.zeros(0, np.int32)) == ord("a")
    assert sampler.sample(library, row, np.array([97], np.int32)) == -1


def test_stacks_that_double_end_it(vocab: int) -> None:
    """Before their number is beyond all bounds: in a few more steps, llama.cpp would take hours."""
    library = Library(llama_cpp)
    grammar = 'root ::= s\ns ::= "a" s "b" | "a" s "c"'
    params = GenerationParams(grammar=grammar, temperature=0.0, seed=0)
    sampler = Sampler(llama_cpp, N_VOCAB, N_CTX, params, vocab=vocab)
    row = np.zeros(N_VOCAB, np.float32)
    row[ord("a")] = 1
    tokens = [sampler.sample(library, row, np.zeros(0, np.int32)) for _ in range(18)]
    n = tokens.index(-1)
    assert tokens == [ord("a")] * n + [-1] * (18 - n)
    assert row[ord("a")] == 1


@pytest.mark.parametrize("n_least", [5, 2**31 - 1])
def test_the_end_is_banned_at_first(vocab: int, n_least: int) -> None:
    library = Library(llama_cpp)
    params = GenerationParams(temperature=0.0, seed=0)
    sampler = Sampler(llama_cpp, N_VOCAB, N_CTX, params, vocab=vocab, ends=[EOS], n_least=n_least)
    history = np.zeros(10, np.int32)
    sampler.start(library, history)
    row = np.zeros(N_VOCAB, np.float32)
    row[EOS], row[ord("a")] = 2, 1
    assert sampler.sample(library, row, history) == ord("a")
    longer = np.zeros(14, np.int32)
    assert sampler.sample(library, row, longer) == ord("a")
    longest = np.zeros(15, np.int32)
    assert sampler.sample(library, row, longest) == (EOS if n_least == 5 else ord("a"))


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ('root ::= ("a" | "b"', "does not parse"),
        ("root ::= missing", "does not parse"),
        ('root ::= root "a"', "begins with itself"),
        ('start ::= "a"', "no rule root"),
        ('root ::= "a\0"', "does not parse"),
        ("\n", "no rule root"),
        ("root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000, "nests too deep"),
        ('root ::= <">' + "(" * 20_000 + '"a"', "nests too deep"),
        ("root ::= " + "[" * 200_000, "does not parse"),
        ('root ::= "' + '\\"' * 200_000, "does not parse"),
        ("root ::= " + "<" * 200_000, "does not parse"),
        ("\n" * 200_000, "no rule root"),
        ("root ::= r0\n" + "".join(f"r{i} ::= r{i + 1}\n" for i in range(20_000)), "many rules"),
    ],
)
def test_bad_grammars(vocab: int, grammar: str, reason: str) -> None:
    params = GenerationParams(grammar=grammar, seed=0)
    with pytest.raises(InvalidRequest, match=reason) as error:
        Sampler(llama_cpp, N_VOCAB, N_CTX, params, vocab=vocab)
    assert error.value.param == "grammar"


def test_parentheses_that_mean_nothing(vocab: int) -> None:
    literals = " ".join(['"(\\"(" [(\\](] # ((\n'] * 1_000)
    params = GenerationParams(grammar=f"root ::= ({literals})", seed=0)
    Sampler(llama_cpp, N_VOCAB, N_CTX, params, vocab=vocab)


def test_no_grammar(vocab: int) -> None:
    Sampler(llama_cpp, N_VOCAB, N_CTX, GenerationParams(grammar="", seed=0), vocab=vocab)
