"""Kimi K2, whose ids tell the name (``functions.NAME:0``), and K3, which writes tags."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from .events import Parser
from .named_call import read_arguments
from .tags import TagSyntax, tag_format, tag_shapes
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

_CALLS, _CALLS_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
_CALL, _ARGUMENTS, _CALL_END = (
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
)
_ID = re.compile(r"[^\s<>{}|]*")
_NUMBER = re.compile(r":\d+\Z")


class KimiParser(TurnParser):
    marks = Marks(_CALLS, _CALL)

    def read_calls(self, marker: str) -> Reading[bool]:
        yield from self.skip_space()
        if marker == _CALLS:
            if not (yield from self.take(_CALL)):
                return False
            yield from self.skip_space()
        call_id = yield from self.run(_ID)
        yield from self.skip_space()
        if not call_id or not (yield from self.take(_ARGUMENTS)):
            return False
        name = _NUMBER.sub("", call_id).removeprefix("functions.")
        if not name or not (
            yield from read_arguments(self, name, ends=(_CALL_END,), call_id=call_id)
        ):
            return False
        yield from self.skip_space()
        yield from self.take(_CALLS_END)
        return True


def kimi_parser(_: Sequence[Tool]) -> Parser:
    return KimiParser()


def _call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(f"{_CALL}functions.{tool.name}:"),
        Id("[0-9]{1,3}"),
        Literal(_ARGUMENTS),
        Json(tool.parameters),
        Literal(_CALL_END),
    )


KIMI_K2 = ToolFormat(
    name="kimi-k2",
    recognizes=lambda template: _CALLS in template,
    parser=kimi_parser,
    shapes=CallShapes(call=_call, before=(Literal(_CALLS),), after=(Literal(_CALLS_END),)),
    special_tokens=True,
)

_K3_REASONING = OwnReasoning(
    tags=Tags("<|open|>think<|sep|>", "<|close|>think<|sep|>"), answer="<|open|>response<|sep|>"
)
_K3 = TagSyntax(
    around=(("<|open|>tools<|sep|>", "<|close|>tools<|sep|>"),),
    call=('<|open|>call tool="', "<|close|>call<|sep|>"),
    argument=('<|open|>argument key="', "<|close|>argument<|sep|>"),
    head_end="<|sep|>",
    after_name='"',
    attribute=lambda json_type: f' type="{json_type or "object"}"',
    line="",
    thoughts={_K3_REASONING.tags.opening: _K3_REASONING.tags.closing},
    silent=(
        _K3_REASONING.answer,
        "<|close|>response<|sep|>",
        "<|close|>message<|sep|>",
        "<|end_of_msg|>",
    ),
)


def _k3_shapes() -> CallShapes:
    """The tag of a call has its number too."""
    shapes = tag_shapes(_K3)

    def call(tool: Tool) -> tuple[Piece, ...]:
        _, *rest = shapes.call(tool)
        head = Literal(f'{_K3.call[0]}{tool.name}" index="'), Id("[0-9]{1,3}"), Literal('"<|sep|>')
        return *head, *rest

    return dataclasses.replace(shapes, call=call, between=(), trigger="")


KIMI_K3 = dataclasses.replace(
    tag_format(
        "kimi-k3",
        lambda template: "<|end_of_msg|>" in template,
        _K3,
        reasoning=_K3_REASONING,
    ),
    shapes=_k3_shapes(),
)
