"""The n-gram index against a reference that compares tokens, and what it keeps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from llamabox._core.ngram import Ngram

Tokens = npt.NDArray[np.int32]
LONGEST_SIZE, LONGEST_MATCH = 4, 16


def random_text(rng: np.random.Generator, n: int) -> Tokens:
    """Tokens of few or many kinds, with pieces that come again."""
    n_kinds = int(rng.choice([2, 5, 30, 1000]))
    pieces = [rng.integers(0, n_kinds, int(rng.integers(1, 20))) for _ in range(6)]
    parts = [
        pieces[int(rng.integers(6))] if rng.random() < 0.7 else rng.integers(0, n_kinds, 4)
        for _ in range(n // 4 + 1)
    ]
    return np.concatenate(parts)[:n].astype(np.int32)


def n_common(tokens: Tokens, end: int) -> int:
    """Tokens before `end` that are those at the end of all."""
    n = 0
    while n < min(end, LONGEST_MATCH) and tokens[end - 1 - n] == tokens[-1 - n]:
        n += 1
    return n


def longest_known(tokens: Tokens, n_min: int) -> int:
    """The size, if it is indexed, of the longest n-gram at the end that was there before."""
    longest = max((n_common(tokens, end) for end in range(1, len(tokens))), default=0)
    longest = min(longest, max(n_min, LONGEST_SIZE))
    return longest if longest >= n_min else 0


def continued(tokens: Tokens, end: int, n: int) -> list[int]:
    """The `n` tokens behind `end`, going round."""
    period = len(tokens) - end
    return [int(tokens[end + i % period]) for i in range(n)]


@pytest.mark.parametrize("n_min", [1, 2, 3, 4, 7])
def test_it_finds_a_match_as_long_as_any_that_is_indexed(n_min: int) -> None:
    rng = np.random.default_rng(n_min)
    n_matches = 0
    for _ in range(25):
        tokens = random_text(rng, int(rng.integers(2, 120)))
        index = Ngram(n_min, 2000)
        for n in range(1, len(tokens) + 1):
            known = tokens[:n]
            index.push(known)
            draft = index.draft(known, 12)
            wanted = longest_known(known, n_min)
            assert (index.n_matched >= wanted) if wanted else not draft
            if draft:
                ends = [end for end in range(1, n) if n_common(known, end) >= index.n_matched]
                assert any(draft == continued(known, end, 12) for end in ends)
                n_matches += 1
    assert n_matches > 200


def test_the_most_recent_of_equal_matches_is_taken() -> None:
    tokens = np.array([1, 2, 7, 1, 2, 8, 1, 2, 9, 5, 1, 2], np.int32)
    index = Ngram(2)
    index.push(tokens)
    assert index.draft(tokens, 2) == [9, 5]
    assert index.n_matched == 2


def test_the_longest_match_is_taken_before_a_more_recent_one() -> None:
    tokens = np.array([3, 1, 2, 7, 4, 1, 2, 8, 3, 1, 2], np.int32)
    index = Ngram(1)
    index.push(tokens)
    assert index.draft(tokens, 2) == [7, 4]


def test_a_match_that_goes_on_grows_and_tells_how_it_did() -> None:
    phrase = list(range(30))
    tokens = np.array([*phrase, *phrase[:20], 99], np.int32)
    index = Ngram(2)
    outcomes = [index.push(tokens[:n]) for n in range(1, len(tokens) + 1)]
    assert outcomes == [0] * 32 + [1] * 18 + [-1]
    index = Ngram(2)
    index.push(tokens[:-1])
    assert index.n_matched == LONGEST_MATCH


def test_a_loop_is_drafted_beyond_its_end() -> None:
    tokens = np.array([5, 6, 7, 5, 6, 7, 5], np.int32)
    index = Ngram(1)
    index.push(tokens)
    assert index.draft(tokens, 8) == [6, 7, 5, 6, 7, 5, 6, 7]


@pytest.mark.parametrize("n_min", [1, 3])
def test_growing_forgets_next_to_nothing(n_min: int) -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, 100_000, 20_000).astype(np.int32)
    n_found = 0
    for n in range(150, len(tokens), 150):
        at = int(rng.integers(0, n - 60))
        known = np.concatenate([tokens[:n], tokens[at : at + 8]])
        index = Ngram(n_min)
        index.push(known)
        n_found += index.draft(known, 20) == [int(t) for t in tokens[at + 8 : at + 28]]
    assert n_found > 0.98 * 133


@pytest.mark.parametrize(("n_min", "n_expected"), [(1, 0), (1, 50_000), (2, 0), (4, 0), (9, 7000)])
def test_memory_is_bounded(n_min: int, n_expected: int) -> None:
    tokens = np.random.default_rng(6).integers(0, 10**5, 50_000).astype(np.int32)
    index = Ngram(n_min, n_expected)
    n_sizes = max(1, LONGEST_SIZE + 1 - n_min)
    for n in range(1000, len(tokens), 1000):
        index.push(tokens[:n])
        assert index.n_bytes <= max(48 * n, 32 * n_expected) * n_sizes
