"""Hermes 2 and 3, Qwen2.5, Qwen3 and many others: a JSON object between ``<tool_call>`` tags."""

from __future__ import annotations

from collections.abc import Sequence

from .call_object import read_call
from .events import Parser
from .markers import Markers
from .text_parser import Reading, TextParser
from .tool_format import CallShapes, Json, Literal, Piece, Tool, ToolFormat

_OPEN = Markers("<tool_call>")
_CLOSE = "</tool_call>"


class HermesParser(TextParser):
    """``text <tool_call> {"name": ..., "arguments": {...}} </tool_call> ...``"""

    def parse(self) -> Reading[None]:
        while marker := (yield from self.pass_until(_OPEN, self.content)):
            self.record()
            yield from self.skip_space()
            if not (yield from read_call(self)):
                self.content(marker + self.recorded())
                continue
            yield from self.skip_space()
            # Some models close the object once more.
            while (yield from self.take("}")):
                yield from self.skip_space()
            yield from self.take(_CLOSE)


def hermes_parser(_: Sequence[Tool]) -> Parser:
    return HermesParser()


def _call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal('<tool_call>\n{"name": "' + tool.name + '", "arguments": '),
        Json(tool.parameters),
        Literal("}\n</tool_call>"),
    )


HERMES = ToolFormat(
    name="hermes",
    recognizes=lambda template: "<tool_call>" in template,
    parser=hermes_parser,
    shapes=CallShapes(call=_call, between=(Literal("\n"),)),
    special_tokens=True,
)
