"""From the core's probabilities to values."""

from __future__ import annotations

import math

from .._core.vocab import Vocab
from .results import Candidate, SampledToken

Probs = list[list[tuple[int, float]]]
"""What events tell of each token (`_core/probs`): its own, then the likeliest ones' (id, p)."""


def sampled_tokens(probs: Probs, vocab: Vocab, *, post_sampling: bool) -> tuple[SampledToken, ...]:
    """The tokens with their bytes and log probabilities.

    :param post_sampling: `p` is a probability, else the logarithm of one.
    """

    def fields(token: int, p: float) -> tuple[int, bytes, float]:
        if post_sampling:
            p = math.log(p) if p > 0 else -math.inf
        return token, vocab.piece(token), p

    return tuple(
        SampledToken(*fields(*own), tuple(Candidate(*fields(*other)) for other in top))
        for own, *top in probs
    )
