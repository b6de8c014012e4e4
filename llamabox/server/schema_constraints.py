"""What the output has to keep to: a grammar, a JSON schema, a regular expression, a response
format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..errors import InvalidRequest
from .schema_fields import Fields, json_type

__all__ = ["named_as_asked", "read_constraints"]

FIELDS = ("grammar", "json_schema", "regex", "response_format")
RESPONSE_FORMATS = ("text", "json_object", "json_schema")
ANY_OBJECT = '{"type":"object"}'
MAX_NAME = 64


def read_constraints(fields: Fields) -> dict[str, Any]:
    """Changes to the default ``GenerationParams``; empty if nothing is asked for.

    A request that asks for any of these gets none of the server's own.

    :raises InvalidRequest: a field is mistyped, or two of them are there, or tools that would have
        to write by a grammar.
    """
    if not fields.given(FIELDS):
        return {}
    sources = {
        "grammar": fields.string("grammar") or None,
        "json_schema": _read_schema(fields, "json_schema"),
        "regex": fields.string("regex") or None,
        "response_format": _read_response_format(fields),
    }
    given = [name for name, source in sources.items() if source is not None]
    if not given:
        return {}
    name, *others = given
    if others:
        raise fields.refuse(others[0], f"goes with no {name}")
    if name != "response_format" and _has_tools(fields):
        raise fields.refuse(name, "goes with no tools")
    field = "json_schema" if name == "response_format" else name
    return {"grammar": "", "json_schema": "", "regex": ""} | {field: sources[name]}


def named_as_asked(error: InvalidRequest, body: Mapping[str, Any]) -> InvalidRequest:
    """`error` of a constraint, with the name of the field that it came in."""
    return error.about(_schema_path(body)) if error.param == "json_schema" else error


def _schema_path(body: Mapping[str, Any]) -> str:
    """Where in a request its JSON schema stands."""
    asked = body.get("response_format")
    if not isinstance(asked, Mapping) or asked.get("type") == "text":
        return "json_schema"
    if asked.get("type") == "json_schema":
        return "response_format.json_schema.schema"
    return "response_format.schema"


def _has_tools(fields: Fields) -> bool:
    """What reads tools reads them; they are only looked at, as a text completion has none."""
    given = fields.values
    chosen = given.get("tool_choice") or given.get("function_call")
    return bool(given.get("tools") or given.get("functions")) and chosen != "none"


def _read_schema(fields: Fields, name: str) -> str | None:
    """A schema as JSON text."""
    value = fields.raw(name)
    if value is None:
        return None
    if not isinstance(value, (dict, bool)):
        raise fields.refuse(name, f"must be a JSON schema, not {json_type(value)}")
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
        raise fields.refuse(name, f"is no JSON schema: {error}") from None


def _read_response_format(fields: Fields) -> str | None:
    """The schema that OpenAI's field stands for; None for plain text."""
    asked = fields.object("response_format")
    if asked is None:
        return None
    kind = asked.string("type")
    if kind not in RESPONSE_FORMATS:
        raise asked.refuse("type", f"{kind!r} is not one of {', '.join(RESPONSE_FORMATS)}")
    if kind == "text":
        return None
    if kind == "json_object":
        return _read_schema(asked, "schema") or ANY_OBJECT
    described = asked.object("json_schema")
    if described is None:
        raise asked.refuse("json_schema", "is required")
    name = described.string("name")
    if name is not None and len(name) > MAX_NAME:
        raise described.refuse("name", f"is longer than {MAX_NAME} characters")
    described.string("description")
    described.boolean("strict")
    schema = _read_schema(described, "schema")
    if schema is None:
        raise described.refuse("schema", "is required")
    return schema
