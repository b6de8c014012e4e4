"""Formats of tool calls: a module for each, and the table from which a template's is chosen."""

from __future__ import annotations

import functools

from .events import CallArguments, CallStart, Content, Event, Parser, Reasoning
from .generic import GENERIC
from .hermes import HERMES
from .llama import LLAMA
from .tool_format import CallShapes, Id, Json, Literal, Piece, Tool, ToolFormat, Until

__all__ = [
    "FORMATS",
    "GENERIC",
    "CallArguments",
    "CallShapes",
    "CallStart",
    "Content",
    "Event",
    "Id",
    "Json",
    "Literal",
    "Parser",
    "Piece",
    "Reasoning",
    "Tool",
    "ToolFormat",
    "Until",
    "format_of",
]

FORMATS: tuple[ToolFormat, ...] = (
    HERMES,
    LLAMA,
    GENERIC,
)
"""In the order in which they are tried; the first that recognizes a template is its format. Those
with marks of their own come before those that have them in common with others."""


@functools.lru_cache(maxsize=64)
def format_of(template: str) -> ToolFormat:
    """The format that a chat template, given as its Jinja source, has the model write."""
    return next(format_ for format_ in FORMATS if format_.recognizes(template))
