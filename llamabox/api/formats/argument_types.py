"""The JSON types that an argument may have, and text that is read as one."""

from __future__ import annotations

import ast
import json
from typing import Any, NoReturn

Types = frozenset[str]
"""Names of JSON types; empty if anything may come."""

ANY: Types = frozenset()
STRING: Types = frozenset({"string"})

JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


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


def _is_allowed(value: Any, types: Types) -> bool:
    """Whether a value may be taken for itself; where no string is allowed, anything is better."""
    name = JSON_TYPES.get(type(value), "object")
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
