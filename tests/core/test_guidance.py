"""Constraints of llguidance in the core: the handshake, and what a sampler makes of them."""

from __future__ import annotations

import ctypes.util
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gguf
import llama_cpp
import llguidance
import numpy as np
import pytest

from llamabox import GenerationParams, IncompatibleLibrary, InvalidRequest
from llamabox._core.guidance import Constraint, Guidance, GuidedVocab, check_version
from llamabox._core.lib import Library
from llamabox._core.sampler import Sampler
from tests.core.common_sampler import loaded_vocabulary
from tests.core.sampling import N_CTX
from tests.models.random_gguf import EOS, N_VOCAB, write_vocabulary

LIBRARY = Library(llama_cpp)
LLGUIDANCE = llguidance._lib.__file__
HISTORY = np.zeros(1, np.int32)
PLAIN = GenerationParams(samplers=("temperature",), temperature=1.0, seed=0)


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path = write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "bytes.gguf")
    with loaded_vocabulary(path) as address:
        yield address


@pytest.fixture(scope="module")
def guided(vocab: int) -> GuidedVocab:
    return GuidedVocab(Guidance(LLGUIDANCE), LIBRARY, vocab, [EOS])


@pytest.fixture(scope="module")
def tokens(vocab: int) -> dict[str, int]:
    """The tokens of single characters."""
    found = {}
    for token in range(N_VOCAB):
        buffer = ctypes.create_string_buffer(16)
        n = llama_cpp.llama_token_to_piece(vocab, token, buffer, 16, 0, False)
        found[buffer.raw[:n].decode("latin-1")] = token
    return found


def sampler(
    params: GenerationParams, constraint: Constraint, banned: tuple[int, ...] = ()
) -> Sampler:
    return Sampler(llama_cpp, N_VOCAB, N_CTX, params, banned, constraint=constraint)


def logits_of(weights: dict[int, float], *, others: float = 0.0) -> np.ndarray:
    row = np.full(N_VOCAB, others, np.float32)
    for token, logit in weights.items():
        row[token] = logit
    return row


@pytest.mark.parametrize("text", ["llguidance@1.8.9 derivre@0.3", "llguidance@1.10.0", "x", ""])
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(IncompatibleLibrary, match="llguidance >="):
        check_version(text)


def test_another_library_is_refused() -> None:
    with pytest.raises(IncompatibleLibrary, match="has no function llg_"):
        Guidance(ctypes.util.find_library("c"))


def test_control_tokens_are_marked(guided: GuidedVocab) -> None:
    assert EOS in guided.marked.values()
    assert not set(guided.marked) & {b"a", b"{"}


def test_an_unknown_token_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_types = gguf.GGUFWriter.add_token_types
    unknown = ord("u")

    def add(writer: gguf.GGUFWriter, types: list[gguf.TokenType]) -> None:
        types[unknown] = gguf.TokenType.UNKNOWN
        add_types(writer, types)

    monkeypatch.setattr(gguf.GGUFWriter, "add_token_types", add)
    with loaded_vocabulary(write_vocabulary(tmp_path / "unknown.gguf")) as address:
        any_text = GuidedVocab(Guidance(LLGUIDANCE), LIBRARY, address, [EOS]).compile(
            b"regex", b"(?s:.*)"
        )
    assert any_text.walk([ord("t")])[0] == 1
    assert any_text.walk([unknown])[0] == 0


def test_an_ambiguous_grammar_fails_before_it_is_slow(
    guided: GuidedVocab, tokens: dict[str, int]
) -> None:
    ambiguous = guided.compile(b"lark", b'start: s\ns: "a" | s s | s s s')
    n, _, error = ambiguous.walk([tokens["a"]] * 300)
    assert n < 300
    assert "items" in (error or "")


def test_the_distribution_is_that_of_the_allowed_tokens(
    guided: GuidedVocab, tokens: dict[str, int]
) -> None:
    """Draws that are checked first, and drawn again among the allowed ones only if refused."""
    allowed = {tokens["a"]: 1.0, tokens["b"]: 0.0, tokens["c"]: -1.0}
    row = logits_of({**allowed, tokens["z"]: 4.0, tokens["y"]: 3.0})
    constraint = guided.compile(b"regex", b"[abc]x")
    n = 4000
    drawn = Counter(
        sampler(PLAIN.replace(seed=seed), constraint).sample(LIBRARY, row.copy(), HISTORY)
        for seed in range(n)
    )
    total = sum(math.exp(logit) for logit in allowed.values())
    assert set(drawn) == set(allowed)
    for token, logit in allowed.items():
        p = math.exp(logit) / total
        assert abs(drawn[token] / n - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_greedy_takes_the_best_that_is_allowed(guided: GuidedVocab, tokens: dict[str, int]) -> None:
    row = logits_of({tokens["z"]: 9.0, tokens["b"]: 2.0, tokens["a"]: 1.0})
    greedy = sampler(PLAIN.replace(temperature=0.0), guided.compile(b"regex", b"[ab]c"))
    assert greedy.sample(LIBRARY, row, HISTORY) == tokens["b"]
    assert greedy.sample(LIBRARY, row, HISTORY) == tokens["c"]
    assert greedy.sample(LIBRARY, row, HISTORY) == EOS


def test_biases_come_first(guided: GuidedVocab, tokens: dict[str, int]) -> None:
    constraint = guided.compile(b"regex", b"[ab]")
    row = logits_of({tokens["a"]: 5.0, tokens["z"]: 9.0})
    params = PLAIN.replace(logit_bias=((tokens["a"], -math.inf), (tokens["z"], 20.0)))
    assert sampler(params, constraint).sample(LIBRARY, row, HISTORY) == tokens["b"]
    params = PLAIN.replace(logit_bias=((tokens["a"], -math.inf), (tokens["b"], -math.inf)))
    assert sampler(params, constraint).sample(LIBRARY, row, HISTORY) == -1


def test_probabilities_are_those_of_what_is_allowed(
    guided: GuidedVocab, tokens: dict[str, int]
) -> None:
    row = logits_of({tokens["z"]: 30.0, tokens["a"]: 1.0, tokens["b"]: 0.0})
    token, best = sampler(PLAIN, guided.compile(b"regex", b"[ab]")).sample_probs(
        LIBRARY, row, HISTORY, 5
    )
    total = math.e + 1
    assert token in (tokens["a"], tokens["b"])
    assert dict(best) == pytest.approx({tokens["a"]: math.e / total, tokens["b"]: 1 / total})


def test_where_only_the_end_is_allowed_and_banned_there_is_none(
    guided: GuidedVocab, tokens: dict[str, int]
) -> None:
    constrained = sampler(PLAIN, guided.compile(b"regex", b"a"), (EOS,))
    row = logits_of({tokens["z"]: 9.0})
    assert constrained.sample(LIBRARY, row, HISTORY) == tokens["a"]
    assert constrained.sample(LIBRARY, row, HISTORY) == -1


def test_requests_have_matchers_of_their_own(guided: GuidedVocab, tokens: dict[str, int]) -> None:
    constraint = guided.compile(b"regex", b"ab")
    row = logits_of({tokens["z"]: 9.0})
    first, second = sampler(PLAIN, constraint), sampler(PLAIN, constraint)
    assert first.sample(LIBRARY, row, HISTORY) == tokens["a"]
    assert second.sample(LIBRARY, row, HISTORY) == tokens["a"]
    assert first.sample(LIBRARY, row, HISTORY) == tokens["b"]


def test_a_constraint_of_another_vocabulary_is_refused(guided: GuidedVocab) -> None:
    constraint = guided.compile(b"regex", b"a")
    with pytest.raises(ValueError, match="another vocabulary"):
        Sampler(llama_cpp, N_VOCAB + 1, N_CTX, PLAIN, constraint=constraint)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (b"regex", b"("),
        (b"regex", b"a\0b"),
        (b"lark", b"start: x"),
        (b"json_schema", b"{"),
        (b"no_kind", b"x"),
        (b"lark", b"\xff\xfe"),
    ],
)
def test_what_is_wrong_is_refused(guided: GuidedVocab, kind: bytes, source: bytes) -> None:
    with pytest.raises(InvalidRequest):
        guided.compile(kind, source)
