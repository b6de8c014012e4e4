"""Muse: each message has a recipient, the model itself where it reasons; calls are tags."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .events import Parser
from .tags import TagParser, TagSyntax, tag_format
from .tool_format import Tool

_SYNTAX = TagSyntax(
    around=(("<atem:function_calls>", "</atem:function_calls>"),),
    call=('<atem:invoke name="', "</atem:invoke>"),
    argument=('<atem:parameter name="', "</atem:parameter>"),
    after_name='"',
    is_wrapped_each=True,
    thoughts={" to=self<|message|>": "<|eom|>"},
    silent=(" to=user<|message|>", "<|start|>assistant", "<|message|>", "<|eom|>", "<|eot|>"),
)


def muse_parser(tools: Sequence[Tool]) -> Parser:
    """A tool as recipient means nothing: its call names it too."""
    recipients = (f" to={tool.name}<|message|>" for tool in tools)
    syntax = dataclasses.replace(_SYNTAX, silent=(*_SYNTAX.silent, *recipients))
    return TagParser(syntax, syntax.marks(), tools)


MUSE = dataclasses.replace(
    tag_format("muse", lambda template: "<atem:invoke" in template, _SYNTAX, reasons=True),
    parser=muse_parser,
)
