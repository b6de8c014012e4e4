"""Calls as a list of JSON objects between markers: ``<tool_calls>[{"name": ...}]</tool_calls>``.

What models differ in is the markers, the keys, and whether there is a list at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .call_object import KEYS, CallKeys, read_call
from .text_parser import Reading
from .tool_format import CallShapes, Id, Json, Literal, Piece, Tool, ToolFormat
from .turn import Marks, TurnParser

_BETWEEN = re.compile(r"[\s,;]*")


@dataclass(frozen=True, kw_only=True)
class ListSyntax:
    """How one model writes it.

    :param begin: markers that calls begin with, the usual one first.
    :param end: text behind the calls, which some models leave out; the usual one first.
    :param brackets: what the model writes around the objects, if anything; a list is read in any
        case.
    :param between: what it writes between two objects.
    :param id_regex: what its ids look like; "" if it writes none.
    :param is_id_first: it writes the id in front of the name.
    :param trigger: see `CallShapes`.
    """

    begin: tuple[str, ...]
    end: tuple[str, ...] = ()
    brackets: tuple[str, str] = ("[", "]")
    between: str = ", "
    keys: CallKeys = KEYS
    id_regex: str = ""
    is_id_first: bool = False
    thoughts: Mapping[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    around: tuple[str, str] | None = None
    trigger: str | None = None

    def marks(self) -> Marks:
        return Marks(*self.begin, thoughts=self.thoughts, silent=self.silent, around=self.around)


class ListParser(TurnParser):
    """Takes the objects behind a marker, in a list or without."""

    def __init__(self, syntax: ListSyntax, marks: Marks, *, takes_calls: bool = True) -> None:
        super().__init__()
        self.marks = marks
        self.takes_calls = takes_calls
        self._syntax = syntax

    def read_calls(self, marker: str) -> Reading[bool]:
        yield from self.skip_space()
        is_list = yield from self.take("[")
        yield from self.skip_space()
        if not (yield from self.read_object()):
            return False
        while (yield from self._has_next()):
            self.record()
            if not (yield from self.read_object()):
                self.content(self.recorded())
                return True
        if is_list:
            yield from self.take("]")
        yield from self.skip_space()
        if self._syntax.end:
            yield from self.take(*self._syntax.end)
        return True

    def read_object(self) -> Reading[bool]:
        return (yield from read_call(self, keys=self._syntax.keys))

    def _has_next(self) -> Reading[bool]:
        yield from self.run(_BETWEEN)
        return (yield from self.peek()) == "{"


def list_shapes(syntax: ListSyntax) -> CallShapes:
    """How forced calls are written."""
    opening, closing = syntax.brackets
    end = closing + (syntax.end[0] if syntax.end else "")
    keys = syntax.keys

    def call(tool: Tool) -> tuple[Piece, ...]:
        name = f'"{keys.name[0]}": {json.dumps(tool.name)}, "{keys.arguments[0]}": '
        if not syntax.id_regex:
            return Literal("{" + name), Json(tool.parameters), Literal("}")
        call_id = f'"{keys.id[0]}": "', Id(syntax.id_regex)
        if syntax.is_id_first:
            head: tuple[Piece, ...] = (Literal("{" + call_id[0]), call_id[1], Literal('", ' + name))
            return *head, Json(tool.parameters), Literal("}")
        tail = Literal(", " + call_id[0]), call_id[1], Literal('"}')
        return Literal("{" + name), Json(tool.parameters), *tail

    return CallShapes(
        call=call,
        before=(Literal(syntax.begin[0] + opening),),
        between=(Literal(syntax.between),),
        after=(Literal(end),) if end else (),
        trigger=syntax.trigger,
    )


def list_format(name: str, recognizes: Callable[[str], bool], syntax: ListSyntax) -> ToolFormat:
    """The format of a syntax."""
    marks = syntax.marks()
    return ToolFormat(
        name=name,
        recognizes=recognizes,
        parser=lambda tools: ListParser(syntax, marks, takes_calls=bool(tools)),
        shapes=list_shapes(syntax),
        special_tokens=True,
        marks_answers=bool(syntax.silent or syntax.around),
    )
