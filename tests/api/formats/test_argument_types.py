"""What a schema says of an argument's type, and how text is read as one."""

from __future__ import annotations

from typing import Any

import pytest

from llamabox.api.formats.argument_types import json_of, property_types

DEFINITIONS = {
    "text": {"type": "string"},
    "loop": {"$ref": "#/$defs/loop"},
    "a/b": {"type": "array"},
}


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "string"}, {"string"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"enum": ["a", 1, None]}, {"string", "integer", "null"}),
        ({"const": 1.5}, {"number"}),
        ({"anyOf": [{"type": "string"}, {"enum": [True]}]}, {"string", "boolean"}),
        ({"oneOf": [{"type": "string"}, {}]}, set()),
        ({"allOf": [{"minLength": 1}, {"type": "string"}]}, {"string"}),
        ({"$ref": "#/$defs/text"}, {"string"}),
        ({"$ref": "#/$defs/a~1b"}, {"array"}),
        ({"$ref": "#/$defs/loop"}, set()),
        ({"$ref": "#/nowhere/at/all"}, set()),
        ({"type": 3}, set()),
        ({"enum": "no list"}, set()),
        ({}, set()),
        (True, set()),
    ],
)
def test_a_schema_says_the_types(schema: Any, types: set[str]) -> None:
    root = {"$defs": DEFINITIONS, "properties": {"x": schema}}
    assert property_types(root, "x") == types


def test_what_is_not_declared_has_the_type_of_the_others() -> None:
    root = {"properties": {"x": {}}, "additionalProperties": {"type": "string"}}
    assert property_types(root, "y") == {"string"}
    assert property_types({"properties": None, "additionalProperties": False}, "y") == set()


@pytest.mark.parametrize(
    ("text", "types", "expected"),
    [
        ("12", {"integer"}, "12"),
        ("12", {"string", "integer"}, "12"),
        ("12", {"string", "number"}, "12"),
        ("1.5", {"string", "integer"}, '"1.5"'),
        ("12", {"string"}, '"12"'),
        (" true\n", {"boolean"}, "true"),
        ("True", {"boolean"}, "true"),
        ("True", set(), '"True"'),
        ("None", {"string", "null"}, "null"),
        ("abc", {"integer"}, '"abc"'),
        ('"abc"', set(), '"abc"'),
        (" abc ", set(), '" abc "'),
        ("[1, 2", {"array"}, '"[1, 2"'),
        ("['a', (1, 2)]", {"array"}, '["a", [1, 2]]'),
        ("{'a': {1, 2}}", {"object"}, "\"{'a': {1, 2}}\""),
        ("{'a': '\\ud800'}", {"object"}, "\"{'a': '\\\\ud800'}\""),
        ("[" * 100_000, set(), '"' + "[" * 100_000 + '"'),
        ("9" * 5_000, set(), '"' + "9" * 5_000 + '"'),
        ("Infinity", {"number"}, '"Infinity"'),
        ("", {"object"}, '""'),
    ],
)
def test_text_is_read_as_a_type(text: str, types: set[str], expected: str) -> None:
    assert json_of(text, frozenset(types)) == expected
