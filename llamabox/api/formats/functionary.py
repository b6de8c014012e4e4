"""Functionary: ``<function=NAME>{...}</function>`` (v3.1), and messages that each begin with their
recipient, ``>>>NAME`` (v3.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .events import Parser
from .markers import Markers
from .named_call import pass_code, read_arguments
from .text_parser import Reading, TextParser
from .tool_format import CallShapes, Json, Literal, Tool, ToolFormat
from .turn import Marks, TurnParser

_NAME = re.compile(r"[^\s<>{}]*")
_PYTHON_TAG = "<|python_tag|>"
_PYTHON = "python"
_NEXT = ">>>"
_MESSAGES = Markers(_NEXT)
_CODE_ENDS = Markers("<|eom_id|>", "<|eot_id|>")
_ALL = "all"


class Functionary31Parser(TurnParser):
    marks = Marks("<function=", _PYTHON_TAG, silent=("<|eom_id|>",))

    def read_calls(self, marker: str) -> Reading[bool]:
        if marker == _PYTHON_TAG:
            yield from self.skip_space()
            if (yield from self.peek()) != "{":
                self.recorded()
                self.start_call(_PYTHON)
                yield from pass_code(self, _CODE_ENDS)
                return True
            return (yield from read_arguments(self, _PYTHON))
        name = yield from self.run(_NAME)
        if not name or not (yield from self.take(">")):
            return False
        return (yield from read_arguments(self, name, ends=("</function>",)))


class Functionary32Parser(TextParser):
    """Content is what is sent to all; only Python's recipient gets anything but arguments.

    :param takes_calls: there are tools to call; else what looks like a call is content.
    """

    def __init__(self, *, takes_calls: bool) -> None:
        super().__init__()
        self._takes_calls = takes_calls

    def parse(self) -> Reading[None]:
        """The prompt ends with the first marker."""
        marker: str | None = ""
        while marker is not None:
            self.record()
            name = yield from self.run(_NAME)
            is_headed = bool(name) and bool((yield from self.take("\n")))
            is_headed &= self._takes_calls or name == _ALL
            if is_headed and name == _PYTHON and (yield from self.peek()) != "{":
                self.recorded()
                self.start_call(name)
                marker = yield from pass_code(self, _MESSAGES)
                continue
            if is_headed and name == _ALL:
                self.recorded()
            elif not is_headed or not (yield from read_arguments(self, name)):
                self.content(marker + self.recorded())
            marker = yield from self.pass_until(_MESSAGES, self.content)


def functionary_31_parser(_: Sequence[Tool]) -> Parser:
    return Functionary31Parser()


def functionary_32_parser(tools: Sequence[Tool]) -> Parser:
    return Functionary32Parser(takes_calls=bool(tools))


FUNCTIONARY_31 = ToolFormat(
    name="functionary-v3.1",
    recognizes=lambda template: "<function=" in template and "</function>" in template,
    parser=functionary_31_parser,
    shapes=CallShapes(
        call=lambda tool: (
            Literal(f"<function={tool.name}>"),
            Json(tool.parameters),
            Literal("</function>"),
        )
    ),
    special_tokens=True,
)
FUNCTIONARY_32 = ToolFormat(
    name="functionary-v3.2",
    recognizes=lambda template: ">>>all" in template,
    parser=functionary_32_parser,
    shapes=CallShapes(
        call=lambda tool: (Literal(f"{tool.name}\n"), Json(tool.parameters)),
        between=(Literal(_NEXT),),
    ),
    special_tokens=True,
    marks_answers=True,
)
