"""Log probabilities of raw logits against numpy in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from llamabox._core.logprobs import logprobs
from tests.core.sampling import random_logits


@pytest.mark.parametrize("n_vocab", [1, 7, 31, 32, 33, 512, 5_000, 151_936])
def test_against_numpy(n_vocab: int) -> None:
    rng = np.random.default_rng(n_vocab)
    for offset in 0, -300, 1_000:
        row = random_logits(rng, n_vocab) if n_vocab > 60 else rng.standard_normal(n_vocab)
        row = (row * 3 + offset).astype(np.float32)
        exact = row.astype(np.float64) - row.max()
        exact -= np.log(np.exp(exact).sum())
        for token in {0, n_vocab - 1, int(row.argmax())}:
            found, _ = logprobs(row, token)
            assert found == pytest.approx(exact[token], abs=1e-5, rel=1e-6)


@pytest.mark.parametrize("n_best", [0, 1, 5, 20, 300, 10**6])
def test_the_likeliest(n_best: int) -> None:
    rng = np.random.default_rng(n_best)
    row = random_logits(rng, 5_000)
    row[np.isinf(row)] = -50
    row[[8, 4_999]] = row.max() + 1
    _, found = logprobs(row, 0, n_best)
    expected = np.lexsort((np.arange(len(row)), -row))[:n_best]
    assert [token for token, _ in found] == expected.tolist()
    for token, logprob in found[:50]:
        assert logprob == pytest.approx(logprobs(row, token)[0], abs=1e-4)


def test_a_certain_token() -> None:
    row = np.full(5_000, -np.inf, np.float32)
    row[9] = 3
    assert logprobs(row, 9) == (pytest.approx(0, abs=1e-6), [])
    assert logprobs(row, 8)[0] == -np.inf


def test_no_such_token() -> None:
    for token in -1, 10:
        with pytest.raises(IndexError):
            logprobs(np.zeros(10, np.float32), token)
