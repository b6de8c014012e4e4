"""JSON schemas as llguidance is given them.

It takes a schema by the letter. What is changed here takes nothing valid in that was not: spaces
are bounded, since small models go on with them; objects that list properties have no others unless
they say so, as peers have it; and ``nullable`` of OpenAPI is understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ..errors import InvalidRequest

__all__ = ["ANY_OBJECT", "parsed", "prepared"]

ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
MAX_DEPTH = 100
"""Of nested values; llguidance's reader takes 127."""
MAX_PROPERTIES = 2000
"""Of one object: the time to compile those that are not required grows with their square."""
MAX_JOINED = 12
"""Patterns that may hold for one value beside others, of a whole schema, and references of one
``allOf``: the time to compile what they have in common doubles with each."""
WHITESPACE = r"[ ]|\r?\n[ \t]{0,20}"
"""What may stand between two parts of a value, once."""

STANDARD_FORMATS = frozenset(
    "date-time date time duration email idn-email hostname idn-hostname ipv4 ipv6 uri "
    "uri-reference iri iri-reference uuid uri-template json-pointer relative-json-pointer "
    "regex".split()
)
"""Other formats are annotations, such as OpenAPI's ``password`` and ``int32``."""

SUBSCHEMA = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
COMBINATIONS = ("allOf", "anyOf", "oneOf")
NAMED_SUBSCHEMAS = ("properties", "patternProperties", "dependentSchemas")
DEFINITIONS = ("$defs", "definitions")
ANNOTATIONS = frozenset(
    "title description default examples example deprecated readOnly writeOnly discriminator "
    "$schema $id $comment $defs definitions".split()
)


def prepared(schema: Any, *, lenient: bool = False) -> dict[str, Any]:
    """A schema for llguidance.

    :param schema: as it came; left as it is.
    :param lenient: leave out what cannot be kept to, instead of refusing it.
    :raises InvalidRequest: it is no schema, or nests too deep; it names no field.
    """
    if schema is True:
        schema = {}
    if schema is False:
        raise InvalidRequest("Unsatisfiable schema: no value fits false")
    if not isinstance(schema, Mapping):
        raise InvalidRequest("a schema must be an object")
    _check_depth(schema, MAX_DEPTH)
    made = _Closing(schema).run()
    made["x-guidance"] = {
        "whitespace_flexible": True,
        "whitespace_pattern": WHITESPACE,
        "lenient": lenient,
    }
    return made


def parsed(source: str) -> Any:
    """The schema in `source`; :raises InvalidRequest: it is no JSON."""
    try:
        return orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"it is no JSON: {error}") from None


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise InvalidRequest(f"it nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        for item in value.values():
            _check_depth(item, left - 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, left - 1)


class _Closing:
    """Closes the objects of one schema, where no other schema says something about the same value.

    What two schemas say is the intersection, and that of two closed objects may be nothing.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self.shared: set[str] = set()
        """Definitions that are referred to where other schemas speak, too."""
        self._found: list[str] = []
        """Those of them that have not been looked into yet."""
        self.n_joined = 0
        """Patterns beside which other schemas speak, so far."""
        self.is_simple = True
        """Whether all references are to definitions."""

    def run(self) -> dict[str, Any]:
        self._note(self.schema, True)
        while self.is_simple and self._found:
            _, definitions, name = self._found.pop().split("/")
            named = self.schema.get(definitions)
            if isinstance(named, Mapping):
                self._note(named.get(name), False)
        made: dict[str, Any] = self._closed(self.schema, True)
        return made

    def _note(self, schema: Any, alone: bool) -> Any:
        """Note which definitions are shared; what these refer to is found later."""
        if not isinstance(schema, Mapping):
            return schema
        reference = schema.get("$ref")
        if isinstance(reference, str):
            parts = reference.split("/")
            if len(parts) != 3 or parts[0] != "#" or parts[1] not in DEFINITIONS:
                self.is_simple = False
            elif not (alone and _is_only(schema, "$ref")) and reference not in self.shared:
                self.shared.add(reference)
                self._found.append(reference)
        return self._mapped(schema, alone, self._note)

    def _closed(self, schema: Any, alone: bool) -> Any:
        if not isinstance(schema, Mapping):
            return schema
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and len(properties) > MAX_PROPERTIES:
            raise InvalidRequest(f"an object has more than {MAX_PROPERTIES} properties")
        self._count_joined(schema, alone)
        made = self._mapped(schema, alone, self._closed)
        _drop_annotations(made)
        _allow_null(made)
        closable = self.is_simple and alone and not _is_combined(schema)
        if closable and "properties" in made and "patternProperties" not in made:
            made.setdefault("additionalProperties", False)
        return made

    def _count_joined(self, schema: Mapping[str, Any], alone: bool) -> None:
        members = schema.get("allOf")
        if not isinstance(members, list):
            members = ()
        references = [each for each in members if isinstance(each, Mapping) and "$ref" in each]
        self.n_joined += "pattern" in schema and not alone
        if max(self.n_joined, len(references)) > MAX_JOINED:
            raise InvalidRequest(f"more than {MAX_JOINED} patterns or references are joined")

    def _mapped(
        self, schema: Mapping[str, Any], alone: bool, visit: Callable[[Any, bool], Any]
    ) -> dict[str, Any]:
        """The schema with `visit` of each schema in it, told whether that speaks alone."""
        made: dict[str, Any] = {}
        child_alone = alone and not _is_combined(schema)
        for keyword, value in schema.items():
            if keyword in SUBSCHEMA:
                made[keyword] = visit(value, child_alone)
            elif keyword in DEFINITIONS and isinstance(value, Mapping):
                made[keyword] = {
                    name: visit(child, f"#/{keyword}/{name}" not in self.shared)
                    for name, child in value.items()
                }
            elif keyword in NAMED_SUBSCHEMAS and isinstance(value, Mapping):
                made[keyword] = {name: visit(child, child_alone) for name, child in value.items()}
            elif keyword == "prefixItems" and isinstance(value, list):
                made[keyword] = [visit(child, child_alone) for child in value]
            elif keyword in COMBINATIONS and isinstance(value, list):
                is_one = keyword != "allOf" or len(value) == 1
                member_alone = alone and is_one and _is_only(schema, keyword)
                made[keyword] = [visit(child, member_alone) for child in value]
            else:
                made[keyword] = value
        return made


def _is_combined(schema: Mapping[str, Any]) -> bool:
    """Whether it speaks of its value by further schemas, beside its own keywords."""
    return any(keyword in schema for keyword in (*COMBINATIONS, "$ref"))


def _is_only(schema: Mapping[str, Any], keyword: str) -> bool:
    return all(other == keyword or other in ANNOTATIONS for other in schema)


def _drop_annotations(schema: dict[str, Any]) -> None:
    name = schema.get("format")
    if isinstance(name, str) and name not in STANDARD_FORMATS:
        del schema["format"]


def _allow_null(schema: dict[str, Any]) -> None:
    """OpenAPI's ``nullable``, in JSON Schema's words."""
    if schema.pop("nullable", False) is not True:
        return
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
