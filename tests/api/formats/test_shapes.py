"""What a format has forced calls look like is what its parser reads as these calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from llamabox.api.call_grammar import call_grammar
from llamabox.api.formats import FORMATS, Id, Json, Literal, Piece, Tool, ToolFormat, Until
from tests.api.formats.golden import parsed

SHAPED = [format_ for format_ in FORMATS if format_.shapes is not None]
VALUES: dict[str, Any] = {
    "city": 'Köln "x" <b>\n{},',
    "days": 3,
    "more": {"a": [1.5, "</x>"], "b": None},
    "is_sure": True,
}
TYPES = {"city": "string", "days": "integer", "more": "object", "is_sure": "boolean"}


def tool(name: str, *required: str, optional: Sequence[str] = ()) -> Tool:
    properties = {key: {"type": TYPES[key]} for key in (*required, *optional)}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name, "", schema)


FULL = tool("full", "city", "days", "more", "is_sure")
LEAN = tool("lean", "days", optional=["city", "is_sure"])
BARE = tool("bare")


def written(pieces: Sequence[Piece], called: Tool, *, with_optional: bool) -> str:
    """Pieces as a model would fill them, with `VALUES`."""
    keys = iter(called.parameters["properties"])
    required = called.parameters["required"]
    given = {key: VALUES[key] for key in called.parameters["properties"]}
    if not with_optional:
        given = {key: value for key, value in given.items() if key in required}
    return "".join(_filled(pieces, called, given, keys, with_optional=with_optional))


def _filled(
    pieces: Sequence[Piece],
    called: Tool,
    given: dict[str, Any],
    keys: Iterator[str],
    *,
    with_optional: bool,
) -> Iterator[str]:
    stop = ""
    for piece in pieces:
        if isinstance(piece, Literal):
            assert piece.text.startswith(stop)
            yield piece.text
        elif isinstance(piece, Json) and piece.schema == called.parameters:
            yield json.dumps(given, ensure_ascii=False)
        elif isinstance(piece, Json):
            yield json.dumps(VALUES[next(keys)], ensure_ascii=False)
        elif isinstance(piece, Until):
            yield VALUES[next(keys)]
        elif isinstance(piece, Id):
            yield example(piece.regex)
        elif with_optional:
            assert isinstance(piece.pieces[0], Literal)
            yield from _filled(piece.pieces, called, given, keys, with_optional=True)
        else:
            next(keys)
        stop = piece.stop if isinstance(piece, Until) else ""


def example(regex: str) -> str:
    """A text that one of the formats' expressions for ids matches."""
    return next(text for text in ("7", "a1b2c3d4e", "a1b2c3d4e5") if re.fullmatch(regex, text))


def turn(format_: ToolFormat, *calls: str) -> str:
    shapes = format_.shapes
    assert shapes is not None
    before, between, after = (
        "".join(piece.text for piece in pieces if isinstance(piece, Literal))
        for pieces in (shapes.before, shapes.between, shapes.after)
    )
    return before + between.join(calls) + after


def read(format_: ToolFormat, text: str, *tools: Tool) -> list[tuple[str, Any]]:
    message = parsed(format_.parser(tools), [text])
    assert not message.content
    return [(call.name, json.loads(call.arguments)) for call in message.tool_calls]


@pytest.mark.parametrize("format_", SHAPED, ids=lambda format_: format_.name)
class TestForcedCalls:
    def test_one_is_read(self, format_: ToolFormat) -> None:
        call = written(format_.shapes.call(FULL), FULL, with_optional=True)
        assert read(format_, turn(format_, call), FULL) == [("full", VALUES)]

    def test_several_are_read(self, format_: ToolFormat) -> None:
        calls = [
            written(format_.shapes.call(LEAN), LEAN, with_optional=with_optional)
            for with_optional in (True, False)
        ]
        some = {key: VALUES[key] for key in ("days", "city", "is_sure")}
        expected = [("lean", some), ("lean", {"days": 3})]
        assert read(format_, turn(format_, *calls), LEAN) == expected

    def test_one_without_arguments_is_read(self, format_: ToolFormat) -> None:
        call = written(format_.shapes.call(BARE), BARE, with_optional=True)
        assert read(format_, turn(format_, call), BARE) == [("bare", {})]


@pytest.mark.parametrize("format_", SHAPED, ids=lambda format_: format_.name)
@pytest.mark.parametrize("called", [FULL, LEAN, BARE], ids=lambda called: called.name)
def test_the_grammar_of_forced_calls_takes_them(format_: ToolFormat, called: Tool) -> None:
    assert format_.shapes is not None
    calls = [
        written(format_.shapes.call(called), called, with_optional=with_optional)
        for with_optional in (True, False)
    ]
    grammar = call_grammar(
        format_.shapes, [FULL, LEAN, BARE], required=True, parallel=True, marked={}
    )
    tokenizer = LLTokenizer("byte")
    for text in (turn(format_, calls[0]), turn(format_, *calls)):
        matcher = LLMatcher(tokenizer, grammar)
        tokens = tokenizer.tokenize_str(text)
        n_taken = matcher.try_consume_tokens(tokens)
        assert n_taken == len(tokens), (matcher.get_error(), text.encode()[n_taken:])
        assert matcher.is_accepting()
