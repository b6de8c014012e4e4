"""What the JSON schema of a tool says of its arguments, one by one."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .argument_types import ANY, JSON_TYPES, Types
from .tool_format import Tool

_MAX_DEPTH = 16
_FURTHER = frozenset(
    "anyOf oneOf not if patternProperties propertyNames minProperties maxProperties "
    "dependentRequired dependentSchemas dependencies unevaluatedProperties".split()
)


class ArgumentSchema:
    """Looks into a schema as far as it is asked, and at each of its definitions once.

    What speaks of the arguments is the schema itself, what it refers to, and the members of its
    ``allOf``.

    :param root: the schema, which the references in it begin at.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self._types: dict[int, Types] = {}

    @functools.cached_property
    def _parts(self) -> list[Mapping[str, Any]]:
        return list(self.parts(self.root))

    @functools.cached_property
    def required(self) -> frozenset[str]:
        names: set[str] = set()
        for part in self._parts:
            required = part.get("required")
            if isinstance(required, list | tuple):
                names.update(name for name in required if isinstance(name, str))
        return frozenset(names)

    @functools.cached_property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of the arguments that are declared or required, in their order."""
        found: dict[str, list[Any]] = {}
        for part in self._parts:
            properties = part.get("properties")
            for name, schema in properties.items() if isinstance(properties, Mapping) else ():
                found.setdefault(name, []).append(schema)
        for name in sorted(self.required.difference(found)):
            found[name] = [self._others]
        return {
            name: schemas[0] if len(schemas) == 1 else {"allOf": schemas}
            for name, schemas in found.items()
        }

    @functools.cached_property
    def _others(self) -> Any:
        """The schema of arguments that are not declared."""
        stated = (part["additionalProperties"] for part in self._parts if _is_open(part))
        return next(stated, {})

    @functools.cached_property
    def is_listed(self) -> bool:
        """Whether there is nothing to say of the arguments but what is said of each that is
        declared; others need not be there."""
        if not self.properties and any(map(_is_open, self._parts)):
            return False
        return not any(_FURTHER & part.keys() or self._is_lost(part) for part in self._parts)

    def _is_lost(self, part: Mapping[str, Any]) -> bool:
        """Whether it refers to what is not there."""
        reference = part.get("$ref")
        return isinstance(reference, str) and not isinstance(self._resolved(reference), Mapping)

    def types(self, name: str) -> Types:
        """What may come as an argument."""
        return self.types_of(self.properties.get(name, self._others))

    def types_of(self, schema: Any, depth: int = 0) -> Types:
        """What a schema says of a value. What is defined by itself may be anything."""
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
            return ANY
        if isinstance(schema.get("$ref"), str):
            return self._types_behind(schema["$ref"], depth)
        if stated := _stated(schema):
            return stated
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                return _union(self.types_of(part, depth + 1) for part in schema[key])
        members = schema.get("allOf")
        members = members if isinstance(members, list) else ()
        found = (self.types_of(part, depth + 1) for part in members)
        return next((types for types in found if types), ANY)

    def _types_behind(self, reference: str, depth: int) -> Types:
        target = self._resolved(reference)
        if id(target) not in self._types:
            self._types[id(target)] = ANY
            self._types[id(target)] = self.types_of(target, depth + 1)
        return self._types[id(target)]

    def parts(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """The schemas that all hold for a value: this one, what it refers to, and the members of
        its ``allOf``; each once."""
        seen: set[int] = set()
        waiting = [schema]
        while waiting:
            part = waiting.pop()
            if not isinstance(part, Mapping) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            members = part.get("allOf")
            waiting += reversed(members) if isinstance(members, list) else ()
            if isinstance(part.get("$ref"), str):
                waiting.append(self._resolved(part["$ref"]))

    def _resolved(self, reference: str) -> Any:
        """What a reference points to; None for nothing that is in the schema."""
        found: Any = self.root if reference.startswith("#") else None
        for name in reference[1:].split("/"):
            if name:
                key = name.replace("~1", "/").replace("~0", "~")
                found = found.get(key) if isinstance(found, Mapping) else None
        return found


def schemas_of(tools: Sequence[Tool]) -> dict[str, ArgumentSchema]:
    """The schema of each tool's arguments."""
    return {tool.name: ArgumentSchema(tool.parameters) for tool in tools}


def _is_open(schema: Mapping[str, Any]) -> bool:
    return schema.get("additionalProperties", False) is not False


def _stated(schema: Mapping[str, Any]) -> Types:
    """What a schema says itself, by types or by values."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return frozenset({declared})
    if isinstance(declared, list):
        return frozenset(name for name in declared if isinstance(name, str))
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return (
        frozenset(JSON_TYPES.get(type(value), "object") for value in values)
        if isinstance(values, list)
        else ANY
    )


def _union(parts: Iterable[Types]) -> Types:
    parts = list(parts)
    return frozenset().union(*parts) if all(parts) else ANY
