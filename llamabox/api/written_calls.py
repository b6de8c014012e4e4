"""Calls of earlier turns as text, in the form in which the model writes them itself."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .formats import (
    GENERIC,
    CallShapes,
    Id,
    Json,
    Literal,
    Maybe,
    Piece,
    Tool,
    ToolFormat,
    Until,
    format_of,
)
from .messages import MessageBuilder

Call = Mapping[str, Any]
"""A call with a `function`, whose `arguments` are an object, or text that is none, and perhaps an
`id`."""
WriteCalls = Callable[[Sequence[Call]], str]

_EXAMPLE: Call = {"id": "0", "function": {"name": "tool_name", "arguments": {"a": "b c", "d": 2}}}


def call_writer(template: str) -> WriteCalls:
    """What writes calls for a template, given as its Jinja source.

    They have the format that it has the model write if that can be told from its `CallShapes`, so
    that what is written is read back as the same calls; else the generic form.
    """
    for chosen in (format_of(template), GENERIC):
        shapes = chosen.shapes
        if shapes is not None and _reads_back(chosen, shapes):
            return functools.partial(_written, shapes=shapes)
    raise AssertionError("the generic form is written and read")


def _reads_back(format_: ToolFormat, shapes: CallShapes) -> bool:
    calls = [_EXAMPLE, _EXAMPLE]
    try:
        text = _written(calls, shapes)
    except LookupError:
        return False
    tools = [_tool(call) for call in calls[:1]]
    parser, builder = format_.parser(tools), MessageBuilder()
    builder.add([*parser.feed(text), *parser.close()])
    read = [(call.name, _value(call.arguments)) for call in builder.message().tool_calls]
    return read == [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _tool(call: Call) -> Tool:
    """A tool with the arguments that a call has."""
    function = call["function"]
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number"}
    properties = {
        name: {"type": kinds[type(value)]} if type(value) in kinds else {}
        for name, value in _object(call).items()
    }
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(str(function.get("name")), "", parameters)


def _object(call: Call) -> Mapping[str, Any]:
    """The arguments; none of text."""
    arguments = call["function"]["arguments"]
    return arguments if isinstance(arguments, Mapping) else {}


def _written(calls: Sequence[Call], shapes: CallShapes) -> str:
    """:raises LookupError: a call of this shape has more values than arguments."""
    written = [
        "".join(_texts(shapes.call(tool), call, tool, iter(_object(call).values())))
        for call, tool in ((call, _tool(call)) for call in calls)
    ]
    between, before, after = (
        "".join(piece.text for piece in pieces if isinstance(piece, Literal))
        for pieces in (shapes.between, shapes.before, shapes.after)
    )
    return before + between.join(written) + after


def _texts(pieces: Iterable[Piece], call: Call, tool: Tool, values: Iterator[Any]) -> Iterator[str]:
    """The texts of a call's pieces; its arguments stand in one piece, or in one each."""
    for piece in pieces:
        match piece:
            case Literal(text):
                yield text
            case Json(schema) if schema is tool.parameters:
                arguments = call["function"]["arguments"]
                is_text = isinstance(arguments, str)
                yield arguments if is_text else json.dumps(arguments, ensure_ascii=False)
            case Json():
                yield json.dumps(_next(values), ensure_ascii=False)
            case Until():
                value = _next(values)
                yield value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            case Id():
                yield str(call.get("id"))
            case Maybe(inner):
                yield from _texts(inner, call, tool, values)


def _next(values: Iterator[Any]) -> Any:
    # A StopIteration would end the generator that asks.
    for value in values:
        return value
    raise LookupError("there are more pieces than arguments")
