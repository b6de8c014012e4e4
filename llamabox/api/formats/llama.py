"""Llama 3.x and 4: JSON objects or Python's syntax, built-in tools behind ``<|python_tag|>``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from .bare_json import pass_other, read_call_array, read_calls
from .markers import Markers
from .named_call import pass_code
from .python_call import CALLED, read_arguments
from .pythonic import read_call_list
from .text_parser import SPACE, Reading, TextParser
from .tool_format import CallShapes, Json, Literal, Piece, Tool, ToolFormat

_PYTHON_TAG = "<|python_tag|>"
_PYTHON_START = "<|python_start|>"
_PYTHON_END = "<|python_end|>"
_ENDS = ("<|eom_id|>", "<|eot_id|>", "<|eom|>", "<|eot|>", _PYTHON_END)
_SOURCE_END = Markers(*_ENDS)
_MARKS = Markers("{", "[", _PYTHON_TAG, _PYTHON_START, *_ENDS)
_TEMPLATE_MARKS = (
    "<|start_header_id|>ipython",
    "<|header_start|>",
    "[func_name1(params_name1=",
)
_INTERPRETERS = ("code_interpreter", "python", "ipython")
"""Tools that take source code, which Llama writes as it is; their parameter is ``code``."""

_ReadCalls = Callable[[TextParser, Mapping[str, Tool]], Reading[bool]]


class LlamaParser(TextParser):
    """All that this family writes; what nothing marks is a call if it names a tool on offer.

    - ``{"name": "add", "parameters": {"a": 1}}``, several after ``;``, or in an array;
    - ``[add(a=1), add(a=2)]``, also between ``<|python_start|>`` and ``<|python_end|>``;
    - ``<|python_tag|>brave_search.call(query="...")``, or source code, or one of the above.
    """

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        super().__init__()

    def parse(self) -> Reading[None]:
        while mark := (yield from self.pass_until(_MARKS, self.content)):
            if mark == "{":
                yield from self._read_bare(mark, read_calls)
            elif mark == "[":
                yield from self._read_list()
            elif mark == _PYTHON_TAG:
                yield from self._read_tagged()

    def _read_list(self) -> Reading[None]:
        space = yield from self.run(SPACE)
        is_json = (yield from self.peek()) == "{"
        yield from self._read_bare("[" + space, read_call_array if is_json else read_call_list)

    def _read_bare(self, opening: str, read: _ReadCalls) -> Reading[None]:
        self.record()
        if not (yield from read(self, self._tools)):
            yield from pass_other(self, opening + self.recorded())

    def _read_tagged(self) -> Reading[None]:
        self.record()
        yield from self.skip_space()
        if (yield from self.peek()) in ("{", "["):
            self.recorded()
            return
        name = yield from self.run(CALLED)
        if name.endswith(".call") and (yield from self.take("(")):
            self.recorded()
            self.start_call(name.removesuffix(".call"))
            yield from read_arguments(self, self._tools.get(name.removesuffix(".call")))
            return
        source = self.recorded()
        interpreter = next((name for name in _INTERPRETERS if name in self._tools), None)
        if interpreter is None:
            self.content(_PYTHON_TAG + source)
            return
        self.start_call(interpreter)
        yield from pass_code(self, _SOURCE_END, source)


def _call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(f'{{"name": {json.dumps(tool.name)}, "parameters": '),
        Json(tool.parameters),
        Literal("}"),
    )


LLAMA = ToolFormat(
    name="llama",
    recognizes=lambda template: any(mark in template for mark in _TEMPLATE_MARKS),
    parser=LlamaParser,
    shapes=CallShapes(call=_call, between=(Literal("; "),)),
    special_tokens=True,
)
