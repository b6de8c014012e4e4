"""Arguments that are forced one by one keep to their schemas, and none is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from llamabox.api.call_grammar import call_grammar
from llamabox.api.formats import FORMATS, GENERIC, Tool, ToolFormat
from llamabox.api.formats.typed_arguments import lists_arguments
from llamabox.errors import InvalidRequest
from tests.api.formats.golden import parsed

BY_NAME = {format_.name: format_ for format_ in FORMATS}
ONE_BY_ONE = [
    format_ for format_ in FORMATS if format_.shapes and format_.shapes.fits is lists_arguments
]
TOKENIZER = LLTokenizer("byte")
SENT = {
    "qwen-coder": "<tool_call>\n<function=f>\n<parameter=x>\n{}\n</parameter>\n</function>\n"
    "</tool_call>",
    "glm": "<tool_call>f\n<arg_key>x</arg_key>\n<arg_value>{}</arg_value>\n</tool_call>",
    "gemma": '<|tool_call>call:f{{x:<|"|>{}<|"|>}}<tool_call|>',
}
"""A call with a string, as some formats write it."""
DEFINITIONS = {"unit": {"enum": ["C", "F"]}, "short": {"type": "string", "maxLength": 3}}


def tool(schema: Any, *, strict: bool = True) -> Tool:
    root = {"properties": {"x": schema}, "required": ["x"], "$defs": DEFINITIONS}
    return Tool("f", parameters=root, strict=strict)


def takes(format_: ToolFormat, called: Tool, text: str) -> bool:
    """Whether the grammar of a forced call takes this text as a whole."""
    shapes = format_.shapes
    assert shapes is not None
    grammar = call_grammar(shapes, [called], required=True, parallel=False, marked={})
    matcher = LLMatcher(TOKENIZER, grammar)
    assert not matcher.get_error()
    tokens = TOKENIZER.tokenize_str(text)
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize(
    ("schema", "fits", "fits_not"),
    [
        ({"type": "string"}, ("", "any <b>\n text"), ()),
        ({"enum": ["C", "CF", "a/b|(\n"]}, ("C", "CF", "a/b|(\n"), ("", "F", "C ", "CFC", "a/b|")),
        ({"type": "string", "enum": ["C", None]}, ("C",), ("null", "")),
        ({"const": ""}, ("",), ("a",)),
        ({"$ref": "#/$defs/unit"}, ("C", "F"), ("c",)),
        ({"allOf": [{"$ref": "#/$defs/unit"}, {"enum": ["F", "K"]}]}, ("F",), ("C", "K")),
        ({"oneOf": [{"const": "a", "title": "A"}, {"enum": ["b"]}]}, ("a", "b"), ("c", "ab")),
        ({"type": "string", "pattern": "^[A-Z]{3}-\\d+$"}, ("ABC-12",), ("ABC-", "xABC-1", "A")),
        ({"type": "string", "pattern": "b+"}, ("b", "abba\n"), ("", "aa")),
        ({"type": "string", "pattern": "^a|b"}, ("a", "ac", "bc", "cb"), ("c", "ca")),
        ({"type": "string", "pattern": "^a|b$"}, ("a", "ax", "xb"), ("xa", "bx")),
        ({"type": "string", "pattern": "^(a|[|)]b)$|^c$"}, ("a", "|b", ")b", "c"), ("b", "ac")),
        ({"type": "string", "pattern": "^a\\\\$"}, ("a\\",), ("a", "a\\b", "a$")),
        ({"type": "string", "pattern": "^a\\$"}, ("a$", "a$b"), ("a", "ba$")),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ("ab", "a\nü"), ("a", "abcd")),
        ({"$ref": "#/$defs/short", "pattern": "a$"}, ("a", "bba"), ("ab", "bbba")),
        ({"type": "string", "format": "date"}, ("2026-02-28",), ("2026-2-28", "today")),
        ({"type": "string", "format": ["no name"]}, ("x",), ()),
    ],
)
def test_strings_without_quotes_keep_to_their_schema(
    name: str, schema: Any, fits: tuple[str, ...], fits_not: tuple[str, ...]
) -> None:
    format_, called = BY_NAME[name], tool(schema)
    for value in fits:
        text = SENT[name].format(value)
        assert takes(format_, called, text), value
        (call,) = parsed(format_.parser((called,)), [text]).tool_calls
        assert json.loads(call.arguments) == {"x": value}
    for value in fits_not:
        assert not takes(format_, called, SENT[name].format(value)), value


def test_strings_between_control_tokens_keep_to_their_schema() -> None:
    shapes = BY_NAME["gemma"].shapes
    assert shapes is not None
    called = tool({"type": "string", "enum": ["C", "F"], "title": "Unit"})
    marked = {'<|"|>': 1}
    grammar = call_grammar(shapes, [called], required=True, parallel=False, marked=marked)
    head, quote, end = (
        list(text.encode()) for text in ("<|tool_call>call:f{x:", "\1", "}<tool_call|>")
    )
    for value, is_taken in (("F", True), ("K", False), ("CF", False)):
        matcher = LLMatcher(TOKENIZER, grammar)
        assert not matcher.get_error()
        tokens = [*head, *quote, *value.encode(), *quote, *end]
        assert (matcher.try_consume_tokens(tokens) == len(tokens)) == is_taken


@pytest.mark.parametrize("pattern", ["^(?!a)", "\\bword", "a{", "(?=x)y", "(a)\\1", "a^b"])
def test_patterns_beyond_the_grammars_are_left_out_or_refused(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    text = SENT["qwen-coder"].format("anything")
    assert takes(BY_NAME["qwen-coder"], tool(schema, strict=False), text)
    shapes = BY_NAME["qwen-coder"].shapes
    assert shapes is not None
    grammar = call_grammar(shapes, [tool(schema)], required=True, parallel=False, marked={})
    assert LLMatcher.validate_grammar(grammar)


@pytest.mark.parametrize("format_", ONE_BY_ONE, ids=lambda format_: format_.name)
@pytest.mark.parametrize("schema", [{}, True])
@pytest.mark.parametrize("value", [3, "text", {"a": [None]}, None])
def test_an_argument_of_any_type_may_be_anything(
    format_: ToolFormat, schema: Any, value: Any
) -> None:
    called = tool(schema)
    text = forced(format_, called, json.dumps(value))
    assert takes(format_, called, text)
    (call,) = parsed(format_.parser((called,)), [text]).tool_calls
    assert json.loads(call.arguments) == {"x": value}


def forced(format_: ToolFormat, called: Tool, value: str) -> str:
    """A call with this text for the value of each argument."""
    shapes = format_.shapes
    assert shapes is not None
    pieces = (*shapes.before, *shapes.call(called), *shapes.after)
    return "".join(
        getattr(piece, "text", None) or ("1" if hasattr(piece, "regex") else value)
        for piece in pieces
    )


REFERRED = {
    "$ref": "#/$defs/f",
    "$defs": {
        "f": {"properties": {"x": {"$ref": "#/$defs/n"}}, "required": ["x"]},
        "n": {"type": "integer"},
    },
}
MERGED = {
    "type": "object",
    "allOf": [{"properties": {"x": {"type": "integer"}}}, {"required": ["x"]}],
}


@pytest.mark.parametrize("format_", ONE_BY_ONE, ids=lambda format_: format_.name)
@pytest.mark.parametrize("parameters", [REFERRED, MERGED])
def test_arguments_behind_references_are_forced(format_: ToolFormat, parameters: Any) -> None:
    called = Tool("f", parameters=parameters, strict=True)
    assert format_.shapes_of([called]) is format_.shapes
    text = forced(format_, called, "7")
    assert takes(format_, called, text)
    (call,) = parsed(format_.parser((called,)), [text]).tool_calls
    assert json.loads(call.arguments) == {"x": 7}


@pytest.mark.parametrize("format_", ONE_BY_ONE, ids=lambda format_: format_.name)
def test_what_is_said_of_all_arguments_takes_another_shape(format_: ToolFormat) -> None:
    either = [{"required": ["x"]}, {"required": ["y"]}]
    listed = {"properties": {"x": {}, "y": {}}}
    for parameters, strict, is_native in (
        ({"additionalProperties": {"type": "integer"}}, False, False),
        ({"anyOf": [listed]}, False, False),
        ({**listed, "anyOf": either}, False, True),
        ({**listed, "anyOf": either}, True, False),
        (listed, True, True),
        ({}, True, True),
    ):
        called = Tool("f", parameters=parameters, strict=strict)
        assert (format_.shapes_of([tool({}), called]) is not None) == is_native
    assert GENERIC.shapes_of([called]) is GENERIC.shapes


def test_definitions_are_not_written_without_end() -> None:
    """Each argument has them, so their length counts as often."""
    definitions = {"long": {"enum": list(range(20_000))}}
    properties = {f"p{i}": {"$ref": "#/$defs/long"} for i in range(200)}
    called = Tool("f", parameters={"properties": properties, "$defs": definitions})
    shapes = BY_NAME["qwen-coder"].shapes
    assert shapes is not None
    with pytest.raises(InvalidRequest, match="longer"):
        call_grammar(shapes, [called], required=True, parallel=False, marked={})


def test_what_takes_equal_strings_is_written_once() -> None:
    """However many arguments there are of an enumeration."""
    definitions = {"unit": {"enum": [f"unit {i}" for i in range(100)]}}
    properties = {f"p{i}": {"$ref": "#/$defs/unit"} for i in range(100)}
    called = Tool("f", parameters={"properties": properties, "$defs": definitions})
    shapes = BY_NAME["qwen-coder"].shapes
    assert shapes is not None
    grammar = call_grammar(shapes, [called], required=True, parallel=False, marked={})
    assert grammar.count("unit 42") == 1


@pytest.mark.parametrize("format_", ONE_BY_ONE, ids=lambda format_: format_.name)
@pytest.mark.parametrize("name", ["user id", "filter[status]", "a|b", "x-y.z", "größe"])
def test_names_of_arguments_are_read_as_they_are_written(format_: ToolFormat, name: str) -> None:
    properties = {"first": {"type": "integer"}, name: {"type": "integer"}}
    called = Tool("f", parameters={"properties": properties, "required": ["first", name]})
    text = forced(format_, called, "7")
    assert takes(format_, called, text)
    (call,) = parsed(format_.parser((called,)), list(text)).tool_calls
    assert json.loads(call.arguments) == {"first": 7, name: 7}


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
@pytest.mark.parametrize(
    "name", ["server:tool", "server/tool", "tool@1.2", "a#b", "größe", "a_b-c"]
)
def test_names_of_tools_are_read_as_they_are_written(format_: ToolFormat, name: str) -> None:
    called = Tool(name, parameters={"properties": {"x": {"type": "integer"}}, "required": ["x"]})
    value = "7" if format_ in ONE_BY_ONE else '{"x": 7}'
    text = forced(format_, called, value)
    (call,) = parsed(format_.parser((called,)), list(text)).tool_calls
    assert (call.name, json.loads(call.arguments)) == (name, {"x": 7})
