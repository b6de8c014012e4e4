"""Log probabilities as each dialect says them."""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from typing import Any

from ..api import Candidate, SampledToken

__all__ = ["TextLogprobs", "chat_logprobs", "native_probs"]

LOWEST = -9999.0
"""What OpenAI says for a token of no probability; JSON has no infinity."""


def chat_logprobs(tokens: Sequence[SampledToken]) -> dict[str, Any]:
    """``choices[].logprobs`` of a chat."""

    def entry(candidate: Candidate) -> dict[str, Any]:
        return {
            "token": _text(candidate),
            "logprob": _logprob(candidate),
            "bytes": list(candidate.bytes),
        }

    content = [
        entry(token) | {"top_logprobs": [entry(other) for other in token.top]} for token in tokens
    ]
    return {"content": content, "refusal": None}


class TextLogprobs:
    """``choices[].logprobs`` of one text completion, in one go or in several."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def of(self, tokens: Sequence[SampledToken]) -> dict[str, Any]:
        """The next tokens. ``text_offset`` is where in the text, in characters, the character
        begins that the token does, or continues."""
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(self._decoder.decode(token.bytes))
        return {
            "tokens": [_text(token) for token in tokens],
            "token_logprobs": [_logprob(token) for token in tokens],
            "top_logprobs": [_by_text(token) for token in tokens],
            "text_offset": offsets,
        }


def native_probs(tokens: Sequence[SampledToken], *, post_sampling: bool) -> list[dict[str, Any]]:
    """llama-server's ``completion_probabilities``."""
    name, top_name = ("prob", "top_probs") if post_sampling else ("logprob", "top_logprobs")

    def entry(candidate: Candidate) -> dict[str, Any]:
        return {
            "id": candidate.token,
            "token": _text(candidate),
            "bytes": list(candidate.bytes),
            name: math.exp(candidate.logprob) if post_sampling else _logprob(candidate),
        }

    return [entry(token) | {top_name: [entry(other) for other in token.top]} for token in tokens]


def _by_text(token: SampledToken) -> dict[str, float]:
    """The likeliest tokens and the sampled one; of equal texts the likeliest."""
    found: dict[str, float] = {}
    for candidate in (*token.top, token):
        found.setdefault(_text(candidate), _logprob(candidate))
    return found


def _text(candidate: Candidate) -> str:
    return candidate.bytes.decode("utf-8", "replace")


def _logprob(candidate: Candidate) -> float:
    return max(LOWEST, candidate.logprob)
