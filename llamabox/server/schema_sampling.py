"""Sampling fields of a request body, in llama-server's names and OpenAI's."""

from __future__ import annotations

import math
from typing import Any

from ..ranges import LLAMA_RANDOM_SEED, RANDOM_SEED
from ..samplers import samplers_from_chars, samplers_from_names
from .schema_fields import Fields, json_type

__all__ = ["read_sampling"]

ALIASES = {
    "mirostat_mode": "mirostat",
    "repetition_penalty": "repeat_penalty",
    "temp": "temperature",
    "typ_p": "typical_p",
}
"""Other spellings; the name on the right wins where both are there."""
N_SEEDS = 2**32
"""OpenAI's have 64 bits; as in llama-server, the lower half counts, of which -1 is all ones."""
MAX_DIGITS = 20
LEAST_DRY_BASE = 1.0
"""Below it both peers take the default."""

INTEGER_FIELDS = (
    "top_k",
    "min_keep",
    "repeat_last_n",
    "dry_allowed_length",
    "dry_penalty_last_n",
    "mirostat",
    "seed",
)
NUMBER_FIELDS = (
    "temperature",
    "dynatemp_range",
    "dynatemp_exponent",
    "top_p",
    "min_p",
    "typical_p",
    "top_n_sigma",
    "xtc_probability",
    "xtc_threshold",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "dry_multiplier",
    "dry_base",
    "mirostat_tau",
    "mirostat_eta",
    "adaptive_target",
    "adaptive_decay",
)

INTEGER_ALIASES = tuple(alias for alias, name in ALIASES.items() if name in INTEGER_FIELDS)
NUMBER_ALIASES = tuple(alias for alias in ALIASES if alias not in INTEGER_ALIASES)


def read_sampling(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; None or nothing for a field that is not there.

    :raises InvalidRequest: a field is mistyped.
    """
    aliased = fields.integers(INTEGER_ALIASES) | fields.numbers(NUMBER_ALIASES)
    changes: dict[str, Any] = {ALIASES[alias]: value for alias, value in aliased.items()}
    changes |= fields.integers(INTEGER_FIELDS) | fields.numbers(NUMBER_FIELDS)
    if changes.get("seed") is not None:
        seed = changes["seed"] % N_SEEDS
        changes["seed"] = RANDOM_SEED if seed == LLAMA_RANDOM_SEED else seed
    if changes.get("dry_base") is not None and changes["dry_base"] < LEAST_DRY_BASE:
        changes["dry_base"] = None
    breakers = fields.strings("dry_sequence_breakers")
    changes["dry_sequence_breakers"] = None if breakers is None else tuple(breakers)
    changes["samplers"] = _read_samplers(fields)
    changes["logit_bias"] = _read_logit_bias(fields)
    return changes


def _read_samplers(fields: Fields) -> tuple[str, ...] | None:
    """An array of names, or a string of their letters."""
    value = fields.raw("samplers")
    if isinstance(value, str):
        return samplers_from_chars(value)
    names = fields.strings("samplers")
    return None if names is None else samplers_from_names(names)


def _read_logit_bias(fields: Fields) -> tuple[tuple[int | str, float], ...] | None:
    """OpenAI's ``{"id": bias}``, or llama-server's ``[[id, bias], ...]``; ``false`` bans.

    A text instead of an id stands for each of its tokens.
    """
    value = fields.raw("logit_bias")
    if value is None:
        return None
    if isinstance(value, dict):
        return tuple((_token(fields, key), _bias(fields, bias)) for key, bias in value.items())
    if not isinstance(value, list):
        raise fields.refuse("logit_bias", f"must be an object or an array, not {json_type(value)}")
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise fields.refuse("logit_bias", "must hold [token id or text, bias] pairs")
    return tuple((_token(fields, token), _bias(fields, bias)) for token, bias in value)


def _token(fields: Fields, token: Any) -> int | str:
    if isinstance(token, int) and not isinstance(token, bool):
        return token
    if isinstance(token, str) and token:
        is_id = token.isascii() and token.isdigit() and len(token) <= MAX_DIGITS
        return int(token) if is_id else token
    raise fields.refuse("logit_bias", f"{token!r} is neither a token id nor a text")


def _bias(fields: Fields, bias: Any) -> float:
    if bias is False:
        return -math.inf
    if isinstance(bias, (int, float)) and not isinstance(bias, bool):
        return float(bias)
    raise fields.refuse("logit_bias", f"a bias must be a number or false, not {json_type(bias)}")
