"""Muse: each message has a recipient, the model itself where it reasons; calls are tags."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from .tags import TagParser, TagSyntax, tag_format
from .text_parser import Reading
from .tool_format import OwnReasoning, Tags, Tool
from .turn import Marks

_REASONING = OwnReasoning(
    tags=Tags("to=self<|message|>", "<|eom|>"),
    space=" ",
    resumed="<|start|>assistant",
    answer=" to=user<|message|>",
)
_SYNTAX = TagSyntax(
    around=(("<atem:function_calls>", "</atem:function_calls>"),),
    call=('<atem:invoke name="', "</atem:invoke>"),
    argument=('<atem:parameter name="', "</atem:parameter>"),
    after_name='"',
    is_wrapped_each=True,
    thoughts={_REASONING.opening: _REASONING.tags.closing},
    silent=(_REASONING.answer, _REASONING.resumed, "<|message|>", "<|eom|>", "<|eot|>"),
)


_TO, _MESSAGE = " to=", "<|message|>"
_NAME = re.compile(r"[^\s<>]*")
_MARKS = Marks(
    _TO,
    _SYNTAX.around[0][0],
    _SYNTAX.call[0],
    thoughts=_SYNTAX.thoughts,
    silent=_SYNTAX.silent,
)


class MuseParser(TagParser):
    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__(_SYNTAX, _MARKS, tools)

    def read_calls(self, marker: str) -> Reading[bool]:
        if marker != _TO:
            return (yield from super().read_calls(marker))
        # A tool as recipient means nothing: its call names it too.
        name = yield from self.run(_NAME)
        if not name or not (yield from self.take(_MESSAGE)):
            return False
        self.recorded()
        return True


MUSE = dataclasses.replace(
    tag_format("muse", lambda template: "<atem:invoke" in template, _SYNTAX, reasoning=_REASONING),
    parser=MuseParser,
)
