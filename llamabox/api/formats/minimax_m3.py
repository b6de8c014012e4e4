"""MiniMax M3: arguments are nested tags, each behind the same mark, so that none needs escaping."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .argument_schema import ArgumentSchema, schemas_of
from .argument_types import STRING, Types, json_of
from .markers import Markers
from .text_parser import Reading, Say
from .tool_format import CallShapes, Literal, Maybe, Piece, Tool, ToolFormat
from .turn import Marks, TurnParser
from .typed_arguments import TypedArguments, declared_arguments, lists_arguments

_MARK = "]<]minimax[>["
_NEXT = Markers(_MARK)
_CALLS, _CALLS_END = f"{_MARK}<tool_call>", f"{_MARK}</tool_call>"
_CALL, _CALL_END = f'{_MARK}<invoke name="', f"{_MARK}</invoke>"
_ITEM = "item"
_NAME = re.compile(r"[^<>\"\n]*")
_MAX_DEPTH = 32


class MiniMaxM3Parser(TurnParser):
    """:param tools: whose schemas say which arguments are strings."""

    marks = Marks(_CALLS, _CALL, thoughts={"<mm:think>": "</mm:think>"}, silent=("[e~[",))

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__()
        self._schemas = schemas_of(tools)

    def read_calls(self, marker: str) -> Reading[bool]:
        if marker == _CALLS:
            yield from self.skip_space()
            if not (yield from self.take(_CALL)):
                return False
        name = yield from self.run(_NAME)
        if not name or not (yield from self.take('">')):
            return False
        self.recorded()
        self.start_call(name)
        if not (yield from self._read_arguments(self._schemas.get(name, ArgumentSchema({})))):
            return True
        yield from self.skip_space()
        yield from self.take(_CALLS_END)
        return True

    def _read_arguments(self, schema: ArgumentSchema) -> Reading[bool]:
        """Returns whether none of them is unfinished."""
        arguments = TypedArguments(self, schema)
        while True:
            yield from self.skip_space()
            if (yield from self.take(_CALL_END)) or not (yield from self.take(_MARK)):
                break
            name = yield from self._read_tag("<")
            if not name:
                break
            if schema.types(name) == STRING:
                is_whole = yield from arguments.value(name, self._pass_text)
            else:
                is_whole = yield from self._read_value(arguments, name, schema)
            if not is_whole:
                return False
        arguments.end()
        return True

    def _pass_text(self, say: Say) -> Reading[str | None]:
        marker = yield from self.pass_until(_NEXT, say)
        return (yield from self._read_tag("</")) if marker else None

    def _read_value(
        self, arguments: TypedArguments, name: str, schema: ArgumentSchema
    ) -> Reading[str | None]:
        text = yield from self._nested(schema.properties.get(name), schema, 0)
        if text is not None:
            arguments.json(name, text)
        return text

    def _nested(self, schema: Any, root: ArgumentSchema, depth: int) -> Reading[str | None]:
        """The JSON text of what is between two tags, the second of which is taken."""
        text, marker = yield from self.text_until(_NEXT)
        children: list[tuple[str, str]] = []
        own = schema if isinstance(schema, Mapping) else {}
        while marker and depth < _MAX_DEPTH:
            if (yield from self._read_tag("</")):
                return _value(text, children, root.types_of(schema))
            name = yield from self._read_tag("<")
            if not name:
                return None
            child = yield from self._nested(_child(own, name), root, depth + 1)
            if child is None:
                return None
            children.append((name, child))
            _, marker = yield from self.text_until(_NEXT)
        return None

    def _read_tag(self, begin: str) -> Reading[str]:
        """The name of a tag, "" if it is none."""
        if not (yield from self.take(begin)):
            return ""
        name = yield from self.run(_NAME)
        return name if (yield from self.take(">")) else ""


def _child(schema: Mapping[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return schema.get("items") if name == _ITEM else None


def _value(text: str, children: list[tuple[str, str]], types: Types) -> str:
    if not children:
        if not text.strip() and "string" not in types and types & {"object", "array"}:
            return "[]" if "array" in types else "{}"
        return json_of(text, types)
    if types != {"object"} and all(name == _ITEM for name, _ in children):
        return "[" + ", ".join(value for _, value in children) + "]"
    members = (f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in children)
    return "{" + ", ".join(members) + "}"


def _call(tool: Tool) -> tuple[Piece, ...]:
    pieces: list[Piece] = [Literal(f'{_CALL}{tool.name}">')]
    for declared in declared_arguments(tool):
        end = f"{_MARK}</{declared.name}>"
        argument = Literal(f"{_MARK}<{declared.name}>"), declared.value(end), Literal(end)
        pieces.extend(argument if declared.is_required else (Maybe(argument),))
    return *pieces, Literal(f"{_CALL_END}\n")


MINIMAX_M3 = ToolFormat(
    name="minimax-m3",
    recognizes=lambda template: _MARK in template,
    parser=MiniMaxM3Parser,
    shapes=CallShapes(
        call=_call,
        before=(Literal(f"{_CALLS}\n"),),
        after=(Literal(_CALLS_END),),
        fits=lists_arguments,
    ),
    special_tokens=True,
)
