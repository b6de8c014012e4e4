"""The JSON types that a tool's schema allows for an argument, and text that is read as one."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from .tool_format import Tool

Types = frozenset[str]
"""Names of JSON types; empty if anything may come."""

ANY: Types = frozenset()
STRING: Types = frozenset({"string"})

_MAX_DEPTH = 16
_NAMES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


def schemas_of(tools: Sequence[Tool]) -> dict[str, Mapping[str, Any]]:
    """The schema of each tool's arguments."""
    return {tool.name: tool.parameters for tool in tools}


def property_types(schema: Mapping[str, Any], name: str) -> Types:
    """What an object's schema says of one of its properties."""
    properties = schema.get("properties")
    found = properties.get(name) if isinstance(properties, Mapping) else None
    if found is None:
        found = schema.get("additionalProperties")
    return types_of(found, schema)


def types_of(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Types:
    """What a schema says of a value.

    :param root: that the references in it begin at.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return ANY
    if isinstance(schema.get("$ref"), str):
        return types_of(_resolved(schema["$ref"], root), root, depth + 1)
    if stated := _stated(schema):
        return stated
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            return _union(types_of(part, root, depth + 1) for part in schema[key])
    parts = schema.get("allOf")
    found = (types_of(part, root, depth + 1) for part in parts) if isinstance(parts, list) else ()
    return next((types for types in found if types), ANY)


def _stated(schema: Mapping[str, Any]) -> Types:
    """What a schema says itself, by types or by values."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return frozenset({declared})
    if isinstance(declared, list):
        return frozenset(name for name in declared if isinstance(name, str))
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return (
        frozenset(_NAMES.get(type(value), "object") for value in values)
        if isinstance(values, list)
        else ANY
    )


def json_of(text: str, types: Types) -> str:
    """The JSON text of a value that was written without quotes, unless it was a string.

    What can be no other type that is allowed is a string.
    """
    written = text.strip()
    value = _loaded(written)
    if value is not _NO_JSON and _is_allowed(value, types):
        return written
    if types & {"boolean", "null"} and written in _PYTHON_WORDS:
        return _PYTHON_WORDS[written]
    if written[:1] in ("{", "[") and (not types or types & {"object", "array"}):
        literal = _literal(written)
        if literal is not _NO_JSON and _is_allowed(literal, types):
            return json.dumps(literal, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False)


_NO_JSON = object()


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/"):
        if part:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _union(parts: Iterable[Types]) -> Types:
    parts = list(parts)
    return frozenset().union(*parts) if all(parts) else ANY


def _is_allowed(value: Any, types: Types) -> bool:
    """Whether a value may be taken for itself; where no string is allowed, anything is better."""
    name = _NAMES.get(type(value), "object")
    return "string" not in types or name in types or (name == "integer" and "number" in types)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NO_JSON


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _literal(text: str) -> Any:
    """The value of a Python literal, which some templates write in place of JSON."""
    try:
        value = ast.literal_eval(text)
        # Half a surrogate pair, which an escape may be, is no text.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _NO_JSON
    return value
