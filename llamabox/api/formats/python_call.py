"""A call in Python's syntax, ``name(city="Paris", n=[1, None])``, to JSON arguments."""

from __future__ import annotations

import json
import re
import sys

from .argument_schema import ArgumentSchema
from .markers import Markers
from .text_parser import Reading, TextParser
from .tool_format import Tool

CALLED = re.compile(r"[^\s()\[\]{}<>,=\"']*")
"""The name of a tool, which need not be one to Python."""
_NAME = re.compile(r"[\w.\-]*")
_STRUCTURE = Markers(*"[](){},:\"'")
_QUOTED = {quote: Markers(quote, "\\") for quote in ('"', "'", '"' * 3, "'" * 3)}
_PREFIX = re.compile(r"[rRbBfFuU]*")
"""Of a string. Those with values in them are taken as they are."""
_OPENERS = {"[": "]", "(": "]", "{": "}"}
_CONSTANTS = {"True": "true", "False": "false", "None": "null"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_N_DIGITS = {"x": 2, "u": 4, "U": 8}
_UNESCAPED = frozenset("\\\"'")
_JSON_SCALAR = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null")
_HEX = frozenset("0123456789abcdefABCDEF")


def read_arguments(parser: TextParser, tool: Tool | None) -> Reading[bool]:
    """Say the arguments up to the closing bracket as a JSON object, as they come.

    The opening bracket was taken already. What is cut off stays open.

    :param tool: what arguments without a name are called after, by their places.
    :returns: whether the closing bracket was there; it is taken.
    """
    names = list(ArgumentSchema(tool.parameters).properties) if tool else []
    strange = [f"{name}=" for name in names if not _NAME.fullmatch(name)]
    parser.arguments("{")
    n, mark = 0, ","
    while mark == ",":
        yield from parser.skip_space()
        if (yield from parser.take(")")):
            mark = ")"
            break
        key = (yield from parser.take(*strange)) if strange else ""
        word = "" if key else (yield from parser.run(_NAME))
        yield from parser.skip_space()
        if not (yield from parser.peek()):
            return False
        if key or (yield from parser.take("=")):
            key, word = key.removesuffix("=") or word, ""
        else:
            key = names[n] if n < len(names) else f"argument_{n}"
        parser.arguments(f"{', ' if n else ''}{_quoted(key)}: ")
        mark = yield from _Value(parser).read(word)
        n += 1
    if mark == ")":
        parser.arguments("}")
    return mark == ")"


class _Value:
    """Turns one value into JSON."""

    def __init__(self, parser: TextParser) -> None:
        self._parser = parser
        self._open: list[str] = []
        self._has_comma = False
        self._is_key = False
        self._is_missing = True

    def read(self, word: str) -> Reading[str]:
        """Returns the mark behind the value, which is taken; "" at the end of the text.

        :param word: its beginning, which was taken already.
        """
        while True:
            rest, mark = yield from self._parser.text_until(_STRUCTURE)
            word = (word + rest).strip()
            prefix = word if mark in _QUOTED and _PREFIX.fullmatch(word) else ""
            if word and not prefix and mark is not None:
                self._say(_key(word) if self._is_key else _scalar(word))
            if mark is None:
                return ""
            word = ""
            if mark in _QUOTED:
                word = yield from self._read_strings(prefix, mark)
            elif mark in _OPENERS:
                self._say("{" if mark == "{" else "[")
                self._open.append(_OPENERS[mark])
                self._is_key = mark == "{"
            elif not self._open:
                self._say_missing()
                return mark
            else:
                self._structure(mark)

    def _structure(self, mark: str) -> None:
        """A mark inside brackets; a comma waits, since the last one may have nothing behind it."""
        if mark != ":":
            self._say_missing()
        if mark == ",":
            self._has_comma = True
            self._is_key = self._open[-1] == "}"
        elif mark == ":":
            self._is_key = False
            self._is_missing = True
            self._parser.arguments(": ")
        else:
            self._has_comma = False
            self._parser.arguments(self._open.pop())

    def _say(self, text: str) -> None:
        self._parser.arguments(", " + text if self._has_comma else text)
        self._has_comma = self._is_missing = False

    def _say_missing(self) -> None:
        """Behind a name there has to be a value."""
        if self._is_missing:
            self._say("null")

    def _read_strings(self, prefix: str, quote: str) -> Reading[str]:
        """A string of which `prefix` and `quote` were taken, and those behind it, which belong to
        it; returns what was taken of the word that follows."""
        parser = self._parser
        self._say('"')
        while quote:
            quote += yield from parser.take(quote * 2)
            if not (yield from self._read_string(quote, is_raw="r" in prefix.lower())):
                return ""
            yield from parser.skip_space()
            prefix = yield from parser.run(_PREFIX)
            quote = yield from parser.take('"', "'")
        parser.arguments('"')
        return prefix

    def _read_string(self, quote: str, *, is_raw: bool) -> Reading[bool]:
        """Returns whether it is complete."""
        parser = self._parser
        while (mark := (yield from parser.pass_until(_QUOTED[quote], self._say_inner))) == "\\":
            if is_raw:
                self._say_inner("\\" + (yield from parser.character()))
            else:
                parser.arguments((yield from self._read_escape()))
        return mark is not None

    def _read_escape(self) -> Reading[str]:
        """What is behind a backslash, as JSON; an escape that Python does not know stays."""
        letter = yield from self._parser.character()
        n_digits = _N_DIGITS.get(letter, 0)
        digits = ""
        while len(digits) < n_digits and (yield from self._parser.peek()) in _HEX:
            digits += yield from self._parser.character()
        if digits and len(digits) == n_digits and int(digits, 16) <= sys.maxunicode:
            # Two halves of a surrogate pair are one character to whoever reads the JSON.
            return json.dumps(chr(int(digits, 16)))[1:-1]
        if letter in _ESCAPES:
            return _quoted(_ESCAPES[letter])[1:-1]
        is_kept = letter in _UNESCAPED
        return _quoted(letter if is_kept else "\\" + letter + digits)[1:-1]

    def _say_inner(self, text: str) -> None:
        self._parser.arguments(_quoted(text)[1:-1])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(word: str) -> str:
    """A number or constant as a key, which is a string in JSON."""
    return _quoted(_CONSTANTS.get(word, word))


def _scalar(word: str) -> str:
    """A number or constant as JSON; what is neither as a string."""
    word = _CONSTANTS.get(word, word)
    return word if _JSON_SCALAR.fullmatch(word) else _quoted(word)
