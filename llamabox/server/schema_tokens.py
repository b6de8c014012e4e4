"""Bodies of ``/tokenize`` and ``/detokenize``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .schema_fields import Fields, json_type

__all__ = ["Detokenize", "Tokenize", "read_detokenize", "read_tokenize"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tokenize:
    """``/tokenize``.

    :param content: texts and token ids.
    :param add_special: with what the model wants around a text, such as BOS.
    :param parse_special: read control tokens in texts as such.
    :param with_pieces: tell what each token adds to a text.
    """

    content: list[int | str]
    add_special: bool
    parse_special: bool
    with_pieces: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Detokenize:
    """``/detokenize``."""

    tokens: list[int]


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
    )


def read_detokenize(body: Mapping[str, Any]) -> Detokenize:
    """:raises InvalidRequest: ``tokens`` is missing or mistyped."""
    fields = Fields(body)
    tokens = fields.raw("tokens")
    if tokens is None:
        raise fields.refuse("tokens", "is required")
    if not isinstance(tokens, list) or not set(map(type, tokens)) <= {int}:
        raise fields.refuse("tokens", "must be an array of token ids")
    return Detokenize(tokens=tokens)
