"""LFM2: a list of calls in Python's syntax between markers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .call_object import read_call
from .python_call import CALLED, read_arguments
from .text_parser import Reading
from .tool_format import CallShapes, Json, Literal, Maybe, Piece, Tool, ToolFormat
from .turn import Marks, TurnParser
from .typed_arguments import declared_arguments, lists_arguments

_BEGIN, _END = "<|tool_call_start|>", "<|tool_call_end|>"
_OTHER_BEGIN, _OTHER_END = "<tool_call>", "</tool_call>"
_BETWEEN = re.compile(r"[\s,]*")


class Lfm2Parser(TurnParser):
    """Takes JSON objects too, also between other tags: where the template has no calls, the model
    is shown those.

    :param tools: what arguments without names are called after.
    """

    marks = Marks(_BEGIN, _OTHER_BEGIN)

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__()
        self._tools = {tool.name: tool for tool in tools}

    def read_calls(self, marker: str) -> Reading[bool]:
        yield from self.skip_space()
        yield from self.take("[")
        if not (yield from self._read_call()):
            return False
        while True:
            self.record()
            yield from self.run(_BETWEEN)
            if (yield from self.take("]", _END, _OTHER_END)):
                break
            if not (yield from self._read_call()):
                self.content(self.recorded())
                return True
        self.recorded()
        yield from self.skip_space()
        yield from self.take(_END, _OTHER_END)
        return True

    def _read_call(self) -> Reading[bool]:
        yield from self.skip_space()
        if (yield from self.peek()) == "{":
            return (yield from read_call(self))
        name = yield from self.run(CALLED)
        if not name or not (yield from self.take("(")):
            return False
        self.recorded()
        self.start_call(name)
        yield from read_arguments(self, self._tools.get(name))
        return True


def _call(tool: Tool) -> tuple[Piece, ...]:
    """Values as JSON, which differs from Python in three words that the parser knows too."""
    pieces: list[Piece] = [Literal(f"{tool.name}(")]
    comma = ""
    for declared in sorted(declared_arguments(tool), key=lambda each: not each.is_required):
        argument = Literal(f"{comma}{declared.name}="), Json(declared.schema)
        pieces.extend(argument if declared.is_required else (Maybe(argument),))
        comma = ", "
    return *pieces, Literal(")")


LFM2 = ToolFormat(
    name="lfm2",
    recognizes=lambda template: _BEGIN in template or "List of tools: " in template,
    parser=Lfm2Parser,
    shapes=CallShapes(
        call=_call,
        before=(Literal(f"{_BEGIN}["),),
        between=(Literal(", "),),
        after=(Literal(f"]{_END}"),),
        fits=lists_arguments,
    ),
    special_tokens=True,
)
