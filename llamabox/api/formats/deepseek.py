"""DeepSeek V3 and R1, which write the arguments in a code block, and V3.1, which does not.

One parser reads both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .events import Parser
from .named_call import read_arguments
from .text_parser import Reading
from .tool_format import CallShapes, Json, Literal, Piece, Tool, ToolFormat
from .turn import Marks, TurnParser

_CALLS, _CALLS_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_CALL, _CALL_END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
_SEPARATOR = "<｜tool▁sep｜>"
# Distilled models, whose vocabulary lacks the tokens, write them in letters of their own.
_CALLS_ALIKE = ("<｜tool_calls_begin｜>", "<｜tool calls begin｜>", "<｜tool\\_calls\\_begin｜>")
_NAME = re.compile(r"[^\s<>{}`]*")
_KIND = "function"


class DeepSeekParser(TurnParser):
    marks = Marks(_CALLS, *_CALLS_ALIKE, _CALL)

    def read_calls(self, marker: str) -> Reading[bool]:
        if marker != _CALL:
            yield from self.skip_space()
            yield from self.take(_CALL)
        name = yield from self.run(_NAME)
        yield from self.skip_space()
        if not name or not (yield from self.take(_SEPARATOR)):
            return False
        if name == _KIND and (yield from self.peek()) != "{":
            name = (yield from self.run(_NAME)) or name
        yield from self.skip_space()
        yield from self.take("```json")
        if not (yield from read_arguments(self, name, ends=("```", _CALL_END))):
            return False
        yield from self.skip_space()
        yield from self.take(_CALL_END)
        yield from self.skip_space()
        yield from self.take(_CALLS_END)
        return True


def deepseek_parser(_: Sequence[Tool]) -> Parser:
    return DeepSeekParser()


def _block_call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(f"{_CALL}{_KIND}{_SEPARATOR}{tool.name}\n```json\n"),
        Json(tool.parameters),
        Literal(f"\n```{_CALL_END}"),
    )


def _call(tool: Tool) -> tuple[Piece, ...]:
    return Literal(_CALL + tool.name + _SEPARATOR), Json(tool.parameters), Literal(_CALL_END)


DEEPSEEK_R1 = ToolFormat(
    name="deepseek-r1",
    recognizes=lambda template: _CALL in template and "```json" in template,
    parser=deepseek_parser,
    shapes=CallShapes(
        call=_block_call,
        before=(Literal(_CALLS),),
        between=(Literal("\n"),),
        after=(Literal(_CALLS_END),),
    ),
    special_tokens=True,
)
DEEPSEEK_V3_1 = ToolFormat(
    name="deepseek-v3.1",
    recognizes=lambda template: _CALL in template,
    parser=deepseek_parser,
    shapes=CallShapes(call=_call, before=(Literal(_CALLS),), after=(Literal(_CALLS_END),)),
    special_tokens=True,
)
