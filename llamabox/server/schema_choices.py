"""How many outputs a request asks for, and which log probabilities with them."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRequest
from ..params import ChoiceParams
from .schema_fields import Fields

__all__ = ["read_chat_probs", "read_choices", "read_text_probs"]

COUNT_FIELDS = ("n", "n_cmpl")
"""OpenAI's name and llama-server's; the first that is there counts."""
MAX_TOP = 20
"""Likeliest tokens that OpenAI's fields may ask for; ``n_probs`` may ask for more."""


def read_choices(fields: Fields, *, stream: bool) -> ChoiceParams:
    """``n``, or ``n_cmpl``, and ``best_of``.

    :raises InvalidRequest: one is mistyped or out of range, or a stream would have to be ranked.
    """
    name = next(iter(fields.given(COUNT_FIELDS)), "n")
    n = fields.integer(name)
    try:
        choices = ChoiceParams(n=1 if n is None else n, best_of=fields.integer("best_of"))
    except InvalidRequest as error:
        if error.param != "n":
            raise
        raise error.about(name) from None
    if stream and choices.are_ranked:
        raise fields.refuse("best_of", "must not be above n in a stream")
    return choices


def read_chat_probs(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``, by a chat's ``logprobs`` and ``top_logprobs``.

    :raises InvalidRequest: one is mistyped or out of range, or the second is without the first.
    """
    is_asked = fields.boolean("logprobs")
    n_top = _read_n_top(fields, "top_logprobs")
    if n_top and not is_asked:
        raise fields.refuse("top_logprobs", "needs logprobs to be true")
    return _changes(fields, (n_top or 0) if is_asked else None)


def read_text_probs(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``, by a text completion's ``logprobs``.

    :raises InvalidRequest: it is mistyped or out of range.
    """
    return _changes(fields, _read_n_top(fields, "logprobs"))


def _changes(fields: Fields, n_probs: int | None) -> dict[str, Any]:
    """With llama-server's fields: ``n_probs``, if OpenAI's do not ask; 0 is off there."""
    own = fields.integer("n_probs")
    return {
        "n_probs": n_probs if n_probs is not None else own or None,
        "post_sampling_probs": fields.boolean("post_sampling_probs") or None,
    }


def _read_n_top(fields: Fields, name: str) -> int | None:
    n_top = fields.integer(name)
    if n_top is not None and not 0 <= n_top <= MAX_TOP:
        raise fields.refuse(name, f"{n_top} is not within 0 to {MAX_TOP}")
    return n_top
