"""Arguments that are written one by one, as text, said as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .argument_schema import ArgumentSchema
from .argument_types import STRING, Types, json_of
from .markers import Markers
from .text_parser import Reading, Say, TextParser
from .text_values import text_regexes
from .tool_format import Json, Piece, Tool, Until

T = TypeVar("T")


class TypedArguments:
    """Says the arguments of a parser's last call.

    A string is said as it comes. Anything else is said at its end, since only then it is known
    whether it is JSON.

    :param schema: of the tool's arguments; None if it is unknown.
    """

    def __init__(self, parser: TextParser, schema: ArgumentSchema | None) -> None:
        self._parser = parser
        self._schema = schema or ArgumentSchema({})
        self._is_first = True

    @property
    def names(self) -> Collection[str]:
        """Of the arguments that are declared."""
        return self._schema.properties

    def value(
        self, name: str, passing: Callable[[Say], Reading[T | None]], types: Types | None = None
    ) -> Reading[T | None]:
        """Take an argument's text with `passing`, which returns None if it is unfinished.

        :param types: if the text says what it is, and the schema need not.
        """
        if types is None:
            types = self._schema.types(name)
        if types == STRING:
            self._key(name)
            self._parser.arguments('"')
            result = yield from passing(self._say_string)
            if result is not None:
                self._parser.arguments('"')
            return result
        texts: list[str] = []
        result = yield from passing(texts.append)
        text = "".join(texts)
        self.json(name, text.strip() if result is None else json_of(text, types))
        return result

    def json(self, name: str, text: str) -> None:
        """An argument that is JSON already."""
        self._key(name)
        self._parser.arguments(text)

    def end(self) -> None:
        self._parser.arguments("{}" if self._is_first else "}")

    def _key(self, name: str) -> None:
        lead = "{" if self._is_first else ", "
        self._is_first = False
        self._parser.arguments(f"{lead}{json.dumps(name, ensure_ascii=False)}: ")

    def _say_string(self, text: str) -> None:
        self._parser.arguments(json.dumps(text, ensure_ascii=False)[1:-1])


def pass_value(
    parser: TextParser, ends: Markers, tags: Sequence[str], say: Say
) -> Reading[str | None]:
    """Say a value up to its end tag, which counts only if another tag (or nothing) follows: so a
    value may contain it.

    :returns: the tag that follows and is taken too, "" if none does, None for an unfinished value.
    """
    while True:
        marker = yield from parser.pass_until(ends, say)
        if marker is None:
            return None
        parser.record()
        yield from parser.skip_space()
        tag = yield from parser.take(*tags)
        if tag or not (yield from parser.peek()):
            parser.recorded()
            return tag
        say(marker + parser.recorded())


@dataclass(frozen=True, slots=True)
class Declared:
    """An argument that a tool's schema declares.

    :param schema: its own, with what references in it point to.
    :param json_type: "" if there is none, or several.
    :param regexes: what it matches if it is a string; see `Until`.
    """

    name: str
    schema: Mapping[str, Any]
    json_type: str
    is_required: bool
    regexes: tuple[str, ...] = ()

    def value(self, end: str) -> Piece:
        """How its value is forced: a string without quotes, up to this end."""
        is_text = self.json_type == "string"
        return Until(end, self.regexes) if is_text else Json(self.schema)


def lists_arguments(tool: Tool) -> bool:
    """Whether all that may be said of a tool's arguments is said of `declared_arguments`; where it
    is not strict, the most of it."""
    arguments = ArgumentSchema(tool.parameters)
    return arguments.is_listed or (bool(arguments.properties) and not tool.strict)


def declared_arguments(tool: Tool) -> list[Declared]:
    """In the order of the schema."""
    arguments = ArgumentSchema(tool.parameters)
    definitions = {
        key: tool.parameters[key] for key in ("$defs", "definitions") if key in tool.parameters
    }
    found, known = [], dict[int, tuple[str, ...]]()
    for name, schema in arguments.properties.items():
        types = arguments.types(name)
        own = {**definitions, **schema} if isinstance(schema, Mapping) else {}
        json_type = next(iter(types)) if len(types) == 1 else ""
        regexes: tuple[str, ...] = ()
        if json_type == "string":
            for part in arguments.parts(schema):
                if id(part) not in known:
                    known[id(part)] = text_regexes(part, is_strict=tool.strict)
                regexes += known[id(part)]
        is_required = name in arguments.required
        found.append(Declared(name, own, json_type, is_required, regexes))
    return found
