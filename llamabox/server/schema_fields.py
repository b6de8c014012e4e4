"""Typed reading of JSON objects: each getter gives the value, None if absent, or a named error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import InvalidRequest

__all__ = ["Fields"]

_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)


class Fields:
    """One JSON object. ``null`` is the same as absent.

    It remembers what it has told, so that a reader has to ask through it.

    :param values: the object.
    :param path: where it is in the body, for error messages.
    :ivar names_read: names that are there, and somebody asked for.
    """

    __slots__ = ("_path", "names_read", "values")

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self.names_read: set[str] = set()
        self._path = path

    def path(self, name: str) -> str:
        """Where the field ``name`` is in the body."""
        return f"{self._path}.{name}" if self._path else name

    def refuse(self, name: str, reason: str) -> InvalidRequest:
        """The error that says what is wrong with the field ``name``."""
        path = self.path(name)
        return InvalidRequest(f"{path}: {reason}", param=path)

    def raw(self, name: str) -> Any:
        """The value as it came, for a field of several types; None if absent."""
        value = self.values.get(name)
        if value is not None:
            self.names_read.add(name)
        return value

    def present(self, name: str) -> bool:
        return self.raw(name) is not None

    def string(self, name: str) -> str | None:
        value = self.raw(name)
        if value is None or isinstance(value, str):
            return value
        raise self._mistyped(name, "a string")

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        raise self._mistyped(name, "a boolean")

    def number(self, name: str) -> float | None:
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        raise self._mistyped(name, "a number")

    def integer(self, name: str) -> int | None:
        """An integer; ``3.0`` is one too."""
        value = self.number(name)
        if value is None:
            return None
        exact: int | float = self.values[name]
        if isinstance(exact, float) and not exact.is_integer():
            raise self.refuse(name, f"must be an integer, not {exact}")
        return int(exact)

    def numbers(self, names: Collection[str]) -> dict[str, float]:
        """`number` of those of many fields that are there."""
        numbers = {name: self.number(name) for name in self.given(names)}
        return {name: value for name, value in numbers.items() if value is not None}

    def integers(self, names: Collection[str]) -> dict[str, int]:
        """`integer` of those of many fields that are there."""
        integers = {name: self.integer(name) for name in self.given(names)}
        return {name: value for name, value in integers.items() if value is not None}

    def given(self, names: Collection[str]) -> list[str]:
        """The names of those fields that are there."""
        values = self.values
        if values.keys().isdisjoint(names):
            return []
        found = [name for name in names if values.get(name) is not None]
        self.names_read.update(found)
        return found

    def strings(self, name: str) -> list[str] | None:
        """An array of strings; a single string is an array of one."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list):
            raise self._mistyped(name, "a string or an array of strings")
        for index, item in enumerate(value):
            if not isinstance(item, str):
                raise self._mistyped_item(name, index, item, "a string")
        return value

    def object(self, name: str) -> Fields | None:
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._mistyped(name, "an object")
        return Fields(value, self.path(name))

    def objects(self, name: str, n_most: int | None = None) -> list[Fields] | None:
        """An array of objects, at most so many."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self._mistyped(name, "an array of objects")
        if n_most is not None and len(value) > n_most:
            raise self.refuse(name, f"holds more than {n_most} objects")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise self._mistyped_item(name, index, item, "an object")
        path = self.path(name)
        return [Fields(item, f"{path}[{i}]") for i, item in enumerate(value)]

    def _mistyped(self, name: str, wanted: str) -> InvalidRequest:
        return self.refuse(name, f"must be {wanted}, not {json_type(self.values[name])}")

    def _mistyped_item(self, name: str, index: int, item: Any, wanted: str) -> InvalidRequest:
        return self.refuse(f"{name}[{index}]", f"must be {wanted}, not {json_type(item)}")


def json_type(value: Any) -> str:
    """What JSON calls the type of ``value``, with its article."""
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")
