"""Apertus: a list of objects whose only key is the tool's name."""

from __future__ import annotations

import json

from .named_call import read_arguments
from .object_lists import ListParser, ListSyntax
from .text_parser import Reading
from .tool_format import CallShapes, Json, Literal, ToolFormat

_SYNTAX = ListSyntax(
    begin=("<|tools_prefix|>",),
    end=("<|tools_suffix|>",),
    thoughts={"<|inner_prefix|>": "<|inner_suffix|>"},
)
_MARKS = _SYNTAX.marks()


class ApertusParser(ListParser):
    def __init__(self) -> None:
        super().__init__(_SYNTAX, _MARKS)

    def read_object(self) -> Reading[bool]:
        if not (yield from self.take("{")):
            return False
        yield from self.skip_space()
        if (yield from self.peek()) != '"':
            return False
        text, is_complete = yield from self.json_text()
        yield from self.skip_space()
        name = _name(text)
        if not is_complete or not name or not (yield from self.take(":")):
            return False
        return (yield from read_arguments(self, name, ends=("}",)))


def _name(text: str) -> str:
    """The string of a JSON text; "" if it is none, or has half a surrogate pair."""
    try:
        name = str(json.loads(text, strict=False))
        name.encode()
    except (ValueError, RecursionError):
        return ""
    return name


APERTUS = ToolFormat(
    name="apertus",
    recognizes=lambda template: "<|tools_prefix|>" in template,
    parser=lambda tools: ApertusParser(),
    shapes=CallShapes(
        call=lambda tool: (
            Literal("{" + json.dumps(tool.name) + ": "),
            Json(tool.parameters),
            Literal("}"),
        ),
        before=(Literal("<|tools_prefix|>["),),
        between=(Literal(", "),),
        after=(Literal("]<|tools_suffix|>"),),
    ),
    special_tokens=True,
)
