"""Solar Open: id, name and arguments between markers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .events import Parser
from .named_call import read_arguments
from .text_parser import Reading
from .tool_format import (
    CallShapes,
    Id,
    Json,
    Literal,
    OwnReasoning,
    Piece,
    Tags,
    Tool,
    ToolFormat,
)
from .turn import Marks, TurnParser

_CALLS, _CALLS_END = "<|tool_calls|>", "<|calls|>"
_CALL, _NAME_MARK, _ARGUMENTS, _CALL_END = (
    "<|tool_call:begin|>",
    "<|tool_call:name|>",
    "<|tool_call:args|>",
    "<|tool_call:end|>",
)
_THINK = Tags("<|think|>", "<|end|>")
_NAME = re.compile(r"[^\s<>|{}]*")


class SolarParser(TurnParser):
    marks = Marks(
        _CALLS,
        _CALL,
        thoughts={_THINK.opening: _THINK.closing},
        silent=("<|begin|>assistant", "<|content|>", "<|end|>", _CALLS_END),
    )

    def read_calls(self, marker: str) -> Reading[bool]:
        if marker == _CALLS and not (yield from self.take(_CALL)):
            return False
        call_id = yield from self.run(_NAME)
        if not (yield from self.take(_NAME_MARK)):
            return False
        name = yield from self.run(_NAME)
        if not name or not (yield from self.take(_ARGUMENTS)):
            return False
        return (yield from read_arguments(self, name, ends=(_CALL_END,), call_id=call_id))


def solar_parser(tools: Sequence[Tool]) -> Parser:
    parser = SolarParser()
    parser.takes_calls = bool(tools)
    return parser


def _call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(_CALL),
        Id("[a-z0-9]{10}"),
        Literal(_NAME_MARK + tool.name + _ARGUMENTS),
        Json(tool.parameters),
        Literal(_CALL_END),
    )


SOLAR = ToolFormat(
    name="solar",
    recognizes=lambda template: _CALL in template,
    parser=solar_parser,
    shapes=CallShapes(call=_call, before=(Literal(_CALLS),), after=(Literal(_CALLS_END),)),
    special_tokens=True,
    reasoning=OwnReasoning(tags=_THINK, resumed="<|begin|>assistant", answer="<|content|>"),
    stops=(_CALLS_END,),
)
