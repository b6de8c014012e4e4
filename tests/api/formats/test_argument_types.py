"""What a schema says of an argument's type, and how text is read as one."""

from __future__ import annotations

from typing import Any

import pytest

from llamabox.api.formats.argument_schema import ArgumentSchema
from llamabox.api.formats.argument_types import Types, json_of

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
    assert ArgumentSchema(root).types("x") == types


def test_what_is_not_declared_has_the_type_of_the_others() -> None:
    root = {"properties": {"x": {}}, "additionalProperties": {"type": "string"}}
    assert ArgumentSchema(root).types("y") == {"string"}
    assert ArgumentSchema({"properties": None, "additionalProperties": False}).types("y") == set()


class Counted(ArgumentSchema):
    n_looked = 0

    def types_of(self, schema: Any, depth: int = 0) -> Types:
        self.n_looked += 1
        return super().types_of(schema, depth)


def test_each_definition_is_looked_at_once() -> None:
    """However often it refers to itself, to others, and by other spellings of its name."""
    width = 40
    itself = {"anyOf": [{"$ref": f"#{'/' * (i + 1)}$defs/itself"} for i in range(width)]}
    links = {f"l{i}": {"oneOf": [{"$ref": f"#/$defs/l{i + 1}"}] * width} for i in range(width)}
    properties = {f"p{i}": {"$ref": f"#/$defs/{name}"} for i, name in enumerate(("itself", *links))}
    schema = Counted({"properties": properties, "$defs": {"itself": itself, **links}})
    for name in properties:
        assert schema.types(name) == set()
    assert schema.n_looked <= (width + 2) ** 2 + 2 * len(properties)


def test_a_definition_that_holds_itself_in_an_array_has_its_types() -> None:
    tree = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/tree"}}]}
    root = {"properties": {"x": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": tree}}
    assert ArgumentSchema(root).types("x") == {"string", "array"}


REFERRED = {
    "allOf": [{"$ref": "#/$defs/all"}, {"properties": {"b": {"type": "string"}, "a": {}}}],
    "required": ["b", "c"],
    "additionalProperties": {"type": "boolean"},
    "$defs": {"all": {"$ref": "#/$defs/one"}, "one": {"properties": {"a": {"type": "integer"}}}},
}


def test_arguments_are_found_behind_references_and_in_all_members() -> None:
    schema = ArgumentSchema(REFERRED)
    assert list(schema.properties) == ["a", "b", "c"]
    assert schema.required == {"b", "c"}
    assert [schema.types(name) for name in "abcd"] == [
        {"integer"},
        {"string"},
        {"boolean"},
        {"boolean"},
    ]


@pytest.mark.parametrize(
    ("root", "is_listed"),
    [
        ({}, True),
        ({"type": "object", "properties": {}}, True),
        (REFERRED, True),
        ({"$ref": "#"}, True),
        ({"additionalProperties": True}, False),
        ({"anyOf": [{"properties": {"a": {}}}]}, False),
        ({"properties": {"a": {}}, "allOf": [{"not": {"required": ["a"]}}]}, False),
        ({"$ref": "#/$defs/no"}, False),
    ],
)
def test_what_is_not_said_of_single_arguments_is_noticed(root: Any, is_listed: bool) -> None:
    assert ArgumentSchema(root).is_listed == is_listed


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
