"""Any other model: tags as Hermes has them, or objects that name a tool on offer.

Where a template knows no tools, the model is told of them in a system message, and to write tags.
"""

from __future__ import annotations

from collections.abc import Sequence

from .bare_json import pass_other, read_call_array, read_calls
from .hermes import HERMES_SHAPES, TAG, read_tagged_call
from .markers import Markers
from .text_parser import SPACE, Reading, TextParser
from .tool_format import Tool, ToolFormat

_BLOCK = "```json"
_BLOCK_END = "```"
_MARKS = Markers(TAG, _BLOCK, "{", "[")


class GenericParser(TextParser):
    """Tagged calls of any tool; objects and arrays, also in a code block, of tools on offer."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._names = frozenset(tool.name for tool in tools)
        super().__init__()

    def parse(self) -> Reading[None]:
        while mark := (yield from self.pass_until(_MARKS, self.content)):
            if mark == TAG:
                yield from read_tagged_call(self)
            elif mark == _BLOCK:
                yield from self._read_block()
            else:
                yield from self._read_bare("", mark)

    def _read_block(self) -> Reading[None]:
        opening = _BLOCK + (yield from self.run(SPACE))
        bracket = yield from self.take("{", "[")
        if not bracket:
            self.content(opening)
        elif (yield from self._read_bare(opening, bracket)):
            yield from self.skip_space()
            yield from self.take(_BLOCK_END)

    def _read_bare(self, opening: str, bracket: str) -> Reading[bool]:
        self.record()
        read = read_calls if bracket == "{" else read_call_array
        is_call = yield from read(self, self._names)
        if not is_call:
            self.content(opening)
            yield from pass_other(self, bracket + self.recorded())
        return is_call


GENERIC = ToolFormat(
    name="generic",
    recognizes=lambda template: True,
    parser=GenericParser,
    shapes=HERMES_SHAPES,
    special_tokens=True,
)
