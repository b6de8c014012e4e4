"""Bodies of ``/tokenize`` and ``/detokenize``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields, json_type
from .schema_unknown import unknown_fields

__all__ = ["Detokenize", "Tokenize", "read_detokenize", "read_tokenize"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tokenize:
    """``/tokenize``.

    :param content: texts and token ids.
    :param add_special: with what the model wants around a text, such as BOS.
    :param parse_special: read control tokens in texts as such.
    :param with_pieces: tell what each token adds to a text.
    :param unknown: names of fields that are not known.
    """

    content: list[int | str]
    add_special: bool
    parse_special: bool
    with_pieces: bool
    unknown: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Detokenize:
    """``/detokenize``.

    :param unknown: names of fields that are not known.
    """

    tokens: list[int]
    unknown: tuple[str, ...]


def read_tokenize(body: Mapping[str, Any]) -> Tokenize:
    """:raises InvalidRequest: a field is missing or mistyped."""
    fields = Fields(body)
    content = fields.raw("content")
    if content is None:
        raise fields.refuse("content", "is required")
    if isinstance(content, str):
        content = [content]
    if not isinstance(content, list) or not set(map(type, content)) <= {int, str}:
        wanted = "must be a string, or an array of strings and token ids"
        raise fields.refuse("content", f"{wanted}, not {json_type(content)}")
    return Tokenize(
        content=content,
        add_special=fields.boolean("add_special"),
        parse_special=fields.boolean("parse_special", default=True),
        with_pieces=fields.boolean("with_pieces"),
        unknown=_unknown(fields),
    )


def read_detokenize(body: Mapping[str, Any]) -> Detokenize:
    """:raises InvalidRequest: ``tokens`` is missing or mistyped."""
    fields = Fields(body)
    tokens = fields.raw("tokens")
    if tokens is None:
        raise fields.refuse("tokens", "is required")
    if not isinstance(tokens, list) or not set(map(type, tokens)) <= {int}:
        raise fields.refuse("tokens", "must be an array of token ids")
    return Detokenize(tokens=tokens, unknown=_unknown(fields))


def _unknown(fields: Fields) -> tuple[str, ...]:
    """Reads last; there is one model, whatever its name."""
    fields.string("model")
    return unknown_fields(fields)
