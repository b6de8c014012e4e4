"""Mistral: ``[TOOL_CALLS][{"name": ..., "arguments": ..., "id": ...}]`` (v3 and v7, tekken), and
``[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{...}`` (v11), without ids from v13 on.

One parser reads all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .events import Parser
from .named_call import read_arguments
from .object_lists import ListParser, ListSyntax, list_shapes
from .text_parser import Reading
from .tool_format import CallShapes, Id, Json, Literal, Piece, Tool, ToolFormat

_CALLS, _CALL_ID, _ARGUMENTS = "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"
_NAME = re.compile(r"[^\s\[\]{}]*")
_ID_REGEX = "[a-zA-Z0-9]{9}"
"""The templates refuse ids of any other form."""

_LIST = ListSyntax(
    begin=(_CALLS,),
    id_regex=_ID_REGEX,
    thoughts={"[THINK]": "[/THINK]"},
)
_MARKS = _LIST.marks()


class MistralParser(ListParser):
    def __init__(self) -> None:
        super().__init__(_LIST, _MARKS)

    def read_calls(self, marker: str) -> Reading[bool]:
        yield from self.skip_space()
        if (yield from self.peek()) in ("[", "{"):
            return (yield from super().read_calls(marker))
        name = yield from self.run(_NAME)
        call_id = ""
        if name and (yield from self.take(_CALL_ID)):
            call_id = yield from self.run(_NAME)
        yield from self.take(_ARGUMENTS)
        return bool(name) and (yield from read_arguments(self, name, call_id=call_id))


def mistral_parser(_: Sequence[Tool]) -> Parser:
    return MistralParser()


def _call_with_id(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(_CALLS + tool.name + _CALL_ID),
        Id(_ID_REGEX),
        Literal(_ARGUMENTS),
        Json(tool.parameters),
    )


def _call(tool: Tool) -> tuple[Piece, ...]:
    return Literal(_CALLS + tool.name + _ARGUMENTS), Json(tool.parameters)


def _format(name: str, shapes: CallShapes, *marks: str) -> ToolFormat:
    return ToolFormat(
        name=name,
        recognizes=lambda template: all(mark in template for mark in marks),
        parser=mistral_parser,
        shapes=shapes,
        special_tokens=True,
    )


MISTRAL_V11 = _format("mistral-v11", CallShapes(call=_call_with_id), _CALLS, _CALL_ID)
MISTRAL_V13 = _format("mistral-v13", CallShapes(call=_call), _CALLS, _ARGUMENTS)
MISTRAL = _format("mistral", list_shapes(_LIST), _CALLS)
