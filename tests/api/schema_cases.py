"""Keywords of JSON Schema: values that fit, and values that do not, as JSON texts."""

from __future__ import annotations

from typing import Any

Case = tuple[str, Any, tuple[str, ...], tuple[str, ...]]

STRING: dict[str, Any] = {"type": "string"}
CASES: tuple[Case, ...] = (
    ("type", {"type": "integer"}, ("0", "-12", "7"), ("1.5", '"1"', "null", "01", "+1")),
    ("type", {"type": "number"}, ("0", "-1.25", "1e5", "2E-3"), ("1.", ".5", "NaN", "true")),
    ("type", STRING, ('""', '"a\\n\\u0001"', '"ü"'), ("a", "'a'", '"\n"', "1")),
    ("type", {"type": "boolean"}, ("true", "false"), ("True", "1", "null")),
    ("type", {"type": ["null", "string"]}, ("null", '"x"'), ("1", "[]")),
    ("type", {"type": "array"}, ("[]", "[1,[2]]"), ("[1,]", "{}", "[")),
    ("type", {"type": "object"}, ("{}", '{"a":{"b":[1]}}'), ("{a:1}", '{"a":1,}', "[]")),
    ("enum", {"enum": [1, "a", None, [2]]}, ("1", '"a"', "null", "[2]"), ("2", '"b"', "[]")),
    ("const", {"const": {"a": [1]}}, ('{"a":[1]}',), ('{"a":[2]}', "{}")),
    (
        "properties",
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": STRING}},
        ("{}", '{"a":1}', '{"b":"x"}', '{"a":1,"b":"x"}'),
        ('{"a":"x"}', '{"c":1}', '{"a":1,"a":2}'),
    ),
    (
        "required",
        {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]},
        ('{"b":1}', '{"a":1,"b":2}'),
        ("{}", '{"a":1}'),
    ),
    (
        "additionalProperties",
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
        ('{"a":"x"}', '{"b":1}', '{"a":0,"b":1,"c":2}'),
        ('{"b":"x"}',),
    ),
    (
        "additionalProperties",
        {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
        ("{}", '{"a":1}'),
        ('{"b":1}',),
    ),
    (
        "patternProperties",
        {
            "type": "object",
            "patternProperties": {"^x": {"type": "integer"}},
            "additionalProperties": False,
        },
        ('{"x1":1}', "{}"),
        ('{"x1":"a"}', '{"y":1}'),
    ),
    ("minProperties", {"type": "object", "minProperties": 1}, ('{"a":1}',), ("{}",)),
    (
        "maxProperties",
        {"type": "object", "maxProperties": 1},
        ("{}", '{"a":1}'),
        ('{"a":1,"b":2}',),
    ),
    (
        "items",
        {"type": "array", "items": {"type": "integer"}},
        ("[]", "[1,2]"),
        ('["a"]', "[1,null]"),
    ),
    (
        "prefixItems",
        {
            "type": "array",
            "prefixItems": [STRING, {"type": "integer"}],
            "items": False,
            "minItems": 2,
        },
        ('["a",1]',),
        ('[1,"a"]', '["a"]', '["a",1,2]'),
    ),
    ("minItems", {"type": "array", "minItems": 2}, ("[1,2]", "[1,2,3]"), ("[]", "[1]")),
    ("maxItems", {"type": "array", "maxItems": 1}, ("[]", "[1]"), ("[1,2]",)),
    ("minLength", {**STRING, "minLength": 2}, ('"ab"', '"äöü"'), ('""', '"a"')),
    ("maxLength", {**STRING, "maxLength": 2}, ('""', '"äö"'), ('"abc"',)),
    ("pattern", {**STRING, "pattern": "^[a-c]+$"}, ('"abc"',), ('"abd"', '""')),
    ("pattern", {**STRING, "pattern": "b"}, ('"abc"', '"b"'), ('"ac"',)),
    ("minimum", {"type": "integer", "minimum": -3}, ("-3", "0", "41"), ("-4", "-10")),
    ("maximum", {"type": "number", "maximum": 2.5}, ("2.5", "-9", "2.49"), ("2.51", "3")),
    ("exclusiveMinimum", {"type": "integer", "exclusiveMinimum": 3}, ("4",), ("3", "2")),
    ("exclusiveMaximum", {"type": "number", "exclusiveMaximum": 1}, ("0.99", "0"), ("1", "1.5")),
    ("multipleOf", {"type": "integer", "multipleOf": 5}, ("0", "15", "-5"), ("3", "14")),
    ("anyOf", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, ("1", "null"), ('"a"', "true")),
    ("oneOf", {"oneOf": [{"type": "integer"}, STRING]}, ("1", '"a"'), ("null", "[]")),
    (
        "allOf",
        {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]},
        ("3", "5"),
        ("2", "6", '"a"'),
    ),
    (
        "$ref",
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}},
        ("1",),
        ('"a"',),
    ),
    (
        "$ref",
        {
            "$ref": "#/$defs/tree",
            "$defs": {
                "tree": {
                    "type": "object",
                    "properties": {"sub": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                }
            },
        },
        ("{}", '{"sub":[{},{"sub":[]}]}'),
        ('{"sub":[1]}', '{"sup":[]}'),
    ),
    ("format", {**STRING, "format": "date"}, ('"2024-02-29"',), ('"2024-13-01"', '"24-1-1"')),
    ("format", {**STRING, "format": "time"}, ('"12:30:00Z"',), ('"25:00:00Z"', '"12"')),
    ("format", {**STRING, "format": "date-time"}, ('"2024-01-31T12:30:00Z"',), ('"2024-01-31"',)),
    (
        "format",
        {**STRING, "format": "uuid"},
        ('"123e4567-e89b-12d3-a456-426614174000"',),
        ('"123e4567"', '"g23e4567-e89b-12d3-a456-426614174000"'),
    ),
    ("format", {**STRING, "format": "email"}, ('"a@example.org"',), ('"a"', '"@x"')),
    ("format", {**STRING, "format": "ipv4"}, ('"192.168.0.1"',), ('"256.1.1.1"', '"1.2.3"')),
    ("format", {**STRING, "format": "ipv6"}, ('"2001:db8::1"',), ('"x::1"',)),
    ("format", {**STRING, "format": "hostname"}, ('"a.example.org"',), ('"-a"', '"a b"')),
    ("format", {**STRING, "format": "uri"}, ('"https://example.org/x?y=1"',), ('"a b"',)),
    ("format", {**STRING, "format": "password"}, ('"anything"',), ("1",)),
    ("nullable", {**STRING, "nullable": True}, ("null", '"a"'), ("1",)),
    ("true", True, ("1", "{}", '[null,"a"]'), ("", "{")),
)
"""Keyword, schema, texts that fit, texts that do not."""

REFUSED: tuple[tuple[str, Any], ...] = (
    ("not", {"not": {"type": "string"}}),
    ("if", {"if": {"type": "string"}, "then": {"minLength": 1}}),
    ("uniqueItems", {"type": "array", "uniqueItems": True}),
    ("contains", {"type": "array", "contains": {"type": "string"}}),
    ("propertyNames", {"type": "object", "propertyNames": {"maxLength": 3}}),
    ("dependentRequired", {"type": "object", "dependentRequired": {"a": ["b"]}}),
    ("unevaluatedProperties", {"type": "object", "unevaluatedProperties": False}),
    ("oneOf", {"oneOf": [{"type": "number"}, {"type": "integer"}]}),
    ("regex", {"type": "string", "format": "regex"}),
    ("look-around", {"type": "string", "pattern": "(?=a)b"}),
    ("Invalid type", {"type": "text"}),
    ("example.org", {"$ref": "https://example.org/schema.json"}),
    ("does not exist", {"$ref": "#/$defs/none"}),
    ("Unsatisfiable", False),
    ("Unsatisfiable", {"type": "integer", "minimum": 5, "maximum": 3}),
    ("must be an object", ["type"]),
    ("must be an object", "type"),
)
"""Schemas that cannot be kept to, by what the refusal says."""
