"""Hermes 2 and 3, Qwen2.5, Qwen3 and many others: a JSON object between ``<tool_call>`` tags."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .call_object import read_call
from .events import Parser
from .markers import Markers
from .text_parser import Reading, TextParser
from .tool_format import CallShapes, Json, Literal, Piece, Tool, ToolFormat

TAG = "<tool_call>"
_OPEN = Markers(TAG)
_CLOSE = "</tool_call>"


class HermesParser(TextParser):
    """``text <tool_call> {"name": ..., "arguments": {...}} </tool_call> ...``"""

    def parse(self) -> Reading[None]:
        while (yield from self.pass_until(_OPEN, self.content)):
            yield from read_tagged_call(self)


def read_tagged_call(parser: TextParser) -> Reading[None]:
    """Say the call behind an opening tag, or the tag and what it is instead as content."""
    parser.record()
    yield from parser.skip_space()
    if not (yield from read_call(parser)):
        parser.content(TAG + parser.recorded())
        return
    yield from parser.skip_space()
    # Some models close the object once more.
    while (yield from parser.take("}")):
        yield from parser.skip_space()
    yield from parser.take(_CLOSE)


def hermes_parser(_: Sequence[Tool]) -> Parser:
    return HermesParser()


def _call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(f'{TAG}\n{{"name": {json.dumps(tool.name)}, "arguments": '),
        Json(tool.parameters),
        Literal(f"}}\n{_CLOSE}"),
    )


HERMES_SHAPES = CallShapes(call=_call, between=(Literal("\n"),))
HERMES = ToolFormat(
    name="hermes",
    recognizes=lambda template: TAG in template,
    parser=hermes_parser,
    shapes=HERMES_SHAPES,
    special_tokens=True,
)
