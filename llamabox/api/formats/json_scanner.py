"""Where a JSON value ends, in text which comes in pieces."""

from __future__ import annotations

import re

_STRUCTURE = re.compile(r'["{}\[\]]')
_STRING_STRUCTURE = re.compile(r'["\\]')
_SCALAR_END = re.compile(r'[\s,:{}\[\]"<]')


class JsonScanner:
    """Finds the end of one value, whose first character is the first that it gets.

    It counts brackets and knows strings; whether the value is valid is for whoever reads it.

    :ivar is_done: the value is complete.
    :ivar is_scalar: it is a number, ``true``, ``false`` or ``null``, which only what follows (or
        nothing) ends.
    """

    def __init__(self) -> None:
        self.is_done = False
        self.is_scalar = False
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self._is_empty = True

    def feed(self, text: str, start: int) -> int:
        """The index behind what belongs to the value, of the text from `start` on."""
        at = start
        if self._is_empty and at < len(text):
            self._is_empty = False
            self.is_scalar = text[at] not in '"{['
        if self.is_scalar:
            return self._end_scalar(text, at)
        while at < len(text) and not self.is_done:
            at = self._leave_string(text, at) if self._in_string else self._next(text, at)
        return at

    def _end_scalar(self, text: str, at: int) -> int:
        found = _SCALAR_END.search(text, at)
        self.is_done = found is not None
        return found.start() if found else len(text)

    def _next(self, text: str, at: int) -> int:
        found = _STRUCTURE.search(text, at)
        if found is None:
            return len(text)
        mark = found[0]
        if mark == '"':
            self._in_string = True
        else:
            self._depth += 1 if mark in "{[" else -1
            self.is_done = self._depth <= 0
        return found.end()

    def _leave_string(self, text: str, at: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            return at + 1
        found = _STRING_STRUCTURE.search(text, at)
        if found is None:
            return len(text)
        if found[0] == "\\":
            self._is_escaped = True
        else:
            self._in_string = False
            self.is_done = self._depth == 0
        return found.end()
