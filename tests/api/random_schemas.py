"""Seeded JSON schemas of many kinds, small enough that a value of each is written soon."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

WORDS = ("name", "city", "size", "kind", "note", "tags", "left", "right", "first", "x-y", "größe")
FORMATS = ("date", "time", "date-time", "uuid", "ipv4", "ipv6", "email", "hostname", "duration")
PATTERNS = ("^[a-z]{2,6}$", "^(red|green|blue)-[0-9]{1,3}$", "^[A-Z]{2}[0-9]{4}$", "^a?b{1,4}c$")
VALUES: tuple[Any, ...] = ("yes", "no", 'a "quoted" word', "", 0, -7, 2.5, True, None, [1, "b"])


class SchemaWriter:
    """Writes one schema."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.definitions: dict[str, Schema] = {}

    def schema(self) -> Schema:
        """An object, or now and then something else."""
        kinds: list[Callable[[int], Schema]] = [self.object] * 6 + [self.array, self.any_of]
        made = self.rng.choice(kinds)(3)
        return {**made, "$defs": self.definitions} if self.definitions else made

    def value(self, depth: int) -> Schema:
        leaves: list[Callable[[int], Schema]] = [
            self.string,
            self.integer,
            self.number,
            self.boolean,
            self.enum,
            self.const,
            self.nullable,
        ]
        inner: list[Callable[[int], Schema]] = [
            self.object,
            self.array,
            self.any_of,
            self.one_of,
            self.all_of,
            self.reference,
            self.map,
            self.tuple,
        ]
        return self.rng.choice(leaves + (inner if depth > 0 else []))(depth - 1)

    def string(self, _: int) -> Schema:
        kind = self.rng.randrange(4)
        if kind == 0:
            return {"type": "string", "format": self.rng.choice(FORMATS)}
        if kind == 1:
            return {"type": "string", "pattern": self.rng.choice(PATTERNS)}
        low = self.rng.randrange(4)
        return {"type": "string", "minLength": low, "maxLength": low + self.rng.randrange(10)}

    def integer(self, _: int) -> Schema:
        low = self.rng.randrange(-500, 500)
        made: Schema = {"type": "integer", "minimum": low, "maximum": low + self.rng.randrange(99)}
        if self.rng.random() < 0.3:
            made = {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 500}
        elif self.rng.random() < 0.3:
            made = {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": low + 9}
        return made

    def number(self, _: int) -> Schema:
        low = self.rng.randrange(-20, 20)
        if self.rng.random() < 0.3:
            return {"type": "number", "exclusiveMinimum": low, "maximum": low + 2.5}
        return {"type": "number", "minimum": low, "maximum": low + self.rng.randrange(1, 50)}

    def boolean(self, _: int) -> Schema:
        return {"type": self.rng.choice(("boolean", "null"))}

    def enum(self, _: int) -> Schema:
        return {"enum": self.rng.sample(VALUES, self.rng.randrange(1, 5))}

    def const(self, _: int) -> Schema:
        return {"const": self.rng.choice((*VALUES, {"a": {"b": [1, 2]}}))}

    def nullable(self, _: int) -> Schema:
        if self.rng.random() < 0.5:
            return {"type": ["integer", "null"], "minimum": 3, "maximum": 90}
        return {"type": ["string", "null", "boolean"], "maxLength": 6}

    def object(self, depth: int) -> Schema:
        names = self.rng.sample(WORDS, self.rng.randrange(1, 5))
        made: Schema = {
            "type": "object",
            "properties": {name: self.value(depth) for name in names},
            "required": [name for name in names if self.rng.random() < 0.7],
        }
        if self.rng.random() < 0.3:
            made["additionalProperties"] = False
        if self.rng.random() < 0.2:
            made |= {"title": "T", "description": "A thing.", "x-own": 3}
        return made

    def map(self, _: int) -> Schema:
        return {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
            "minProperties": 1,
            "maxProperties": 2,
        }

    def array(self, depth: int) -> Schema:
        low = self.rng.randrange(3)
        most = low + self.rng.randrange(2)
        return {"type": "array", "items": self.value(depth), "minItems": low, "maxItems": most}

    def tuple(self, depth: int) -> Schema:
        items = [self.value(depth) for _ in range(self.rng.randrange(1, 3))]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}

    def any_of(self, depth: int) -> Schema:
        return {"anyOf": [self.value(depth) for _ in range(self.rng.randrange(1, 4))]}

    def one_of(self, depth: int) -> Schema:
        """Variants that a tag tells apart."""
        return {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"kind": {"const": tag}, "value": self.value(depth)},
                    "required": ["kind", "value"],
                }
                for tag in ("a", "b")
            ]
        }

    def all_of(self, depth: int) -> Schema:
        return {
            "allOf": [
                {"type": "object", "properties": {"p": self.value(depth)}, "required": ["p"]},
                {"type": "object", "properties": {"q": {"type": "boolean"}}, "required": ["q"]},
            ],
            "properties": {"p": True, "q": True},
            "additionalProperties": False,
        }

    def reference(self, depth: int) -> Schema:
        name = f"d{len(self.definitions)}"
        self.definitions[name] = {}
        self.definitions[name] = self.value(depth)
        return {"$ref": f"#/$defs/{name}"}
