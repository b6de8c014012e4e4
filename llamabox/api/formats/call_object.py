"""Calls that are written as JSON objects: ``{"name": ..., "arguments": {...}}``."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from .text_parser import Reading, TextParser


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKeys:
    """The keys of such an object.

    :param wrapper: a key whose object is the call, once; other keys beside it are left out.
    """

    name: tuple[str, ...] = ("name",)
    arguments: tuple[str, ...] = ("arguments", "parameters")
    id: tuple[str, ...] = ("id",)
    wrapper: str = "function"


KEYS = CallKeys()


def read_call(
    parser: TextParser,
    *,
    keys: CallKeys = KEYS,
    names: Collection[str] | None = None,
    is_open: bool = False,
) -> Reading[bool]:
    """Take an object and say the call that it is, its arguments as they come.

    What was taken before the call could be said is in the parser's record, if it has begun one;
    the record ends as soon as it is a call.

    :param names: what is not one of these is no call, nor is an object without arguments or with
        other keys in front of its name and arguments; None for any object with a name.
    :param is_open: its bracket was taken already.
    :returns: whether it is a call. If not, the text was taken as far as that had to be seen.
    """
    return (yield from _CallObject(parser, keys, names).read(is_open))


class _CallObject:
    def __init__(self, parser: TextParser, keys: CallKeys, names: Collection[str] | None) -> None:
        self._parser = parser
        self._keys = keys
        self._names = names
        self._name = ""
        self._id = ""
        self._early: str | None = None
        self._is_said = False
        self._is_wrapped = False

    def read(self, is_open: bool) -> Reading[bool]:
        is_whole = yield from self._read_object(is_open)
        has_arguments = self._names is None or self._early is not None
        if not self._is_said and is_whole and has_arguments and self._is_named():
            self._start()
            self._parser.arguments(_arguments_of(self._early))
        return self._is_said

    def _read_object(self, is_open: bool = False) -> Reading[bool]:
        """Returns whether the object is complete, or was given up after the call was said."""
        parser = self._parser
        if not is_open and not (yield from parser.take("{")):
            return False
        yield from parser.skip_space()
        if (yield from parser.take("}")):
            return True
        while True:
            yield from parser.skip_space()
            key = yield from self._read_string()
            yield from parser.skip_space()
            if key is None or not (yield from parser.take(":")):
                return False
            yield from parser.skip_space()
            if not (yield from self._read_value(key)):
                return False
            yield from parser.skip_space()
            mark = yield from parser.take(",", "}")
            if mark != ",":
                return mark == "}"

    def _read_value(self, key: str) -> Reading[bool]:
        parser, keys = self._parser, self._keys
        first = yield from parser.peek()
        if key == keys.wrapper and first == "{" and not self._is_wrapped:
            self._is_wrapped = True
            return (yield from self._read_object())
        if key in keys.name and not self._name:
            self._name = (yield from self._read_string()) or ""
            return self._is_named()
        if key in keys.arguments and self._early is None and not self._is_said:
            return (yield from self._read_arguments(first))
        if self._names is not None and not self._is_said and key not in (*keys.id, "type"):
            return False
        text, is_complete = yield from parser.json_text()
        if key in keys.id and not self._id:
            self._id = _id(text)
        return is_complete

    def _read_arguments(self, first: str) -> Reading[bool]:
        if self._name and first == "{":
            self._start()
            return (yield from self._parser.pass_json(self._parser.arguments))
        self._early, is_complete = yield from self._parser.json_text()
        if self._name and is_complete:
            self._start()
            self._parser.arguments(_arguments_of(self._early))
        return is_complete

    def _read_string(self) -> Reading[str | None]:
        if (yield from self._parser.peek()) != '"':
            return None
        text, is_complete = yield from self._parser.json_text()
        return _string(text) if is_complete else None

    def _is_named(self) -> bool:
        return bool(self._name) and (self._names is None or self._name in self._names)

    def _start(self) -> None:
        self._is_said = True
        self._parser.recorded()
        self._parser.start_call(self._name, self._id)


def _string(text: str) -> str | None:
    """The string of a JSON text; None if it is no string."""
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _id(text: str) -> str:
    """An id of a JSON text, also if it is a number."""
    inner = _string(text)
    return inner if inner is not None else text if text != "null" else ""


def _arguments_of(text: str | None) -> str:
    """Arguments as the text of an object, also where they were left out or are in a string."""
    if text is None or text == "null":
        return "{}"
    inner = _string(text)
    return text if inner is None else inner or "{}"
