"""Gemma 4, ``<|tool_call>call:NAME{KEY:<|"|>TEXT<|"|>,KEY:3}<tool_call|>``, and FunctionGemma with
other markers: objects without quotes around keys, and with markers around strings."""

from __future__ import annotations

import json
import re

from .argument_types import ANY, json_of
from .markers import Markers
from .text_parser import Reading
from .tool_format import CallShapes, Literal, Maybe, Piece, Tool, ToolFormat
from .turn import Marks, TurnParser
from .typed_arguments import declared_arguments, lists_arguments

_CALL = "call:"
_NAME = re.compile(r"[^<>{}\"\n]*")
_KEY = re.compile(r"[^<>{}:,\"\n]*")
_PLAIN_KEY = re.compile(r"[^\s<>{}\[\]:,\"]+")
_SCALAR = re.compile(r"[^<>{}\[\],]*")
_MAX_DEPTH = 64


class _Syntax:
    """:param quote: what is around strings."""

    def __init__(self, begin: str, end: str, quote: str) -> None:
        self.begin, self.end, self.quote = begin, end, quote
        self.quotes = Markers(quote)


_GEMMA = _Syntax("<|tool_call>", "<tool_call|>", '<|"|>')
_FUNCTION_GEMMA = _Syntax("<start_function_call>", "<end_function_call>", "<escape>")


class GemmaParser(TurnParser):
    """Says an object as JSON while it comes."""

    def __init__(self, syntax: _Syntax, marks: Marks) -> None:
        super().__init__()
        self.marks = marks
        self._syntax = syntax

    def read_calls(self, marker: str) -> Reading[bool]:
        yield from self.skip_space()
        yield from self.take(_CALL)
        name = (yield from self.run(_NAME)).strip()
        if not name or not (yield from self.take("{")):
            return False
        self.recorded()
        self.start_call(name)
        if (yield from self._pass_object(0)):
            yield from self.skip_space()
            yield from self.take(self._syntax.end)
        return True

    def _pass_object(self, depth: int) -> Reading[bool]:
        """Say an object whose bracket was taken; returns whether it is complete."""
        lead = "{"
        while True:
            yield from self._skip_commas()
            if (yield from self.take("}")):
                self.arguments("{}" if lead == "{" else "}")
                return True
            key = yield from self._read_key()
            yield from self.skip_space()
            if key is None or not (yield from self.take(":")):
                return False
            self.arguments(f"{lead}{key}: ")
            lead = ", "
            yield from self.skip_space()
            if (yield from self.peek()) in (",", "}"):
                self.arguments("null")
            elif not (yield from self._pass_value(depth + 1)):
                return False

    def _pass_array(self, depth: int) -> Reading[bool]:
        lead = "["
        while True:
            yield from self._skip_commas()
            if (yield from self.take("]")):
                self.arguments("[]" if lead == "[" else "]")
                return True
            if not (yield from self.peek()):
                return False
            self.arguments(lead)
            if not (yield from self._pass_value(depth + 1)):
                return False
            lead = ", "

    def _pass_value(self, depth: int) -> Reading[bool]:
        yield from self.skip_space()
        if depth < _MAX_DEPTH and (yield from self.take("{")):
            return (yield from self._pass_object(depth))
        if depth < _MAX_DEPTH and (yield from self.take("[")):
            return (yield from self._pass_array(depth))
        if (yield from self.take(self._syntax.quote)):
            self.arguments('"')
            marker = yield from self.pass_until(self._syntax.quotes, self._say_string)
            if marker:
                self.arguments('"')
            return bool(marker)
        if (yield from self.peek()) == '"':
            return (yield from self.pass_json(self.arguments))
        text = (yield from self.run(_SCALAR)).strip()
        is_whole = bool(text) and bool((yield from self.peek()))
        self.arguments(json_of(text, ANY) if is_whole else text)
        return is_whole

    def _read_key(self) -> Reading[str | None]:
        """The JSON text of a key; None if there is none."""
        if (yield from self.peek()) == '"':
            text, is_complete = yield from self.json_text()
            return text if is_complete else None
        if (yield from self.take(self._syntax.quote)):
            key, marker = yield from self.text_until(self._syntax.quotes)
            return json.dumps(key, ensure_ascii=False) if marker else None
        if (yield from self.peek()) in ("[", "]"):
            return None
        key = (yield from self.run(_KEY)).strip()
        return json.dumps(key, ensure_ascii=False) if key else None

    def _skip_commas(self) -> Reading[None]:
        yield from self.skip_space()
        while (yield from self.take(",")):
            yield from self.skip_space()

    def _say_string(self, text: str) -> None:
        self.arguments(json.dumps(text, ensure_ascii=False)[1:-1])


def _shapes(syntax: _Syntax) -> CallShapes:
    def call(tool: Tool) -> tuple[Piece, ...]:
        pieces: list[Piece] = [Literal(f"{syntax.begin}{_CALL}{tool.name}{{")]
        comma = ""
        # Those that are required come first, so that the commas are right.
        for declared in sorted(declared_arguments(tool), key=lambda each: not each.is_required):
            quote = syntax.quote if declared.json_type == "string" else ""
            is_plain = _PLAIN_KEY.fullmatch(declared.name)
            key = declared.name if is_plain else json.dumps(declared.name, ensure_ascii=False)
            head = Literal(f"{comma}{key}:{quote}")
            argument: tuple[Piece, ...] = head, declared.value(quote)
            if quote:
                argument = *argument, Literal(quote)
            pieces.extend(argument if declared.is_required else (Maybe(argument),))
            comma = ","
        return *pieces, Literal("}" + syntax.end)

    return CallShapes(call=call, fits=lists_arguments)


_GEMMA_MARKS = Marks(
    _GEMMA.begin,
    thoughts={"<|channel>thought": "<channel|>"},
    silent=("<|channel>", "<channel|>", "<|tool_response>", "<turn|>"),
)
_FUNCTION_GEMMA_MARKS = Marks(_FUNCTION_GEMMA.begin, silent=("<start_function_response>",))

GEMMA = ToolFormat(
    name="gemma",
    recognizes=lambda template: "<|tool_call>" in template and _CALL in template,
    parser=lambda tools: GemmaParser(_GEMMA, _GEMMA_MARKS),
    shapes=_shapes(_GEMMA),
    special_tokens=True,
    stops=("<|tool_response>",),
)
FUNCTION_GEMMA = ToolFormat(
    name="function-gemma",
    recognizes=lambda template: "<start_function_call>" in template,
    parser=lambda tools: GemmaParser(_FUNCTION_GEMMA, _FUNCTION_GEMMA_MARKS),
    shapes=_shapes(_FUNCTION_GEMMA),
    special_tokens=True,
    stops=("<start_function_response>",),
)
