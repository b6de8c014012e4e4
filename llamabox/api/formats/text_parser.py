"""What the parsers of all formats are made of: text that is taken as it comes, and events."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Generator
from typing import TypeVar

from .events import CallArguments, CallStart, Content, Event, Reasoning
from .json_scanner import JsonScanner
from .markers import Markers

T = TypeVar("T")
Reading = Generator[None, None, T]
"""A step of a parser: yields when it needs more text, returns what it found."""
Say = Callable[[str], None]
"""Takes text piece by piece."""

SPACE = re.compile(r"\s*")


class TextParser(abc.ABC):
    """Base of the formats' parsers.

    `parse` is a generator that takes the text with the methods below, ``yield from`` in front, and
    says what it found. It is written as if all text were there; where it is not, the methods
    yield. At the end of the text they return what tells so, and `parse` returns. What it has not
    taken then is content.

    White space between content and calls, and between calls, is no content.

    :ivar n_scanned: characters that were looked at, those that waited each time.
    """

    def __init__(self) -> None:
        self.n_scanned = 0
        self.n_calls = 0
        self._text = ""
        self._at = 0
        self._is_last = False
        self._space: list[str] = []
        self._record: list[str] | None = None
        self._events: list[Event] = []
        self._parsing: Reading[None] | None = self.parse()

    @abc.abstractmethod
    def parse(self) -> Reading[None]:
        """Take all text."""

    def feed(self, text: str) -> list[Event]:
        self._text = self._text[self._at :] + text
        self._at = 0
        return self._advance()

    def close(self) -> list[Event]:
        self._is_last = True
        self._advance_into(self._events)
        if self.n_calls == 0:
            self._release_space()
        return self._take_events()

    def _advance(self) -> list[Event]:
        self._advance_into(self._events)
        return self._take_events()

    def _advance_into(self, events: list[Event]) -> None:
        if self._parsing is not None and next(self._parsing, self) is self:
            self._parsing = None
        if self._parsing is None and self._at < len(self._text):
            self.content(self._take(len(self._text)))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # Saying what was found.

    def content(self, text: str) -> None:
        """Say content; white space at its end waits for what follows."""
        end = len(text.rstrip())
        if end > 0:
            self._release_space()
            self._events.append(Content(text[:end]))
        if end < len(text):
            self._space.append(text[end:])

    def _release_space(self) -> None:
        if self._space:
            self._events.append(Content("".join(self._space)))
            self._space.clear()

    def reasoning(self, text: str) -> None:
        if text:
            self._events.append(Reasoning(text))

    def start_call(self, name: str, call_id: str = "") -> None:
        """Begin a call; `arguments` are those of the last one."""
        self._events.append(CallStart(self.n_calls, _encodable(call_id), _encodable(name)))
        self.n_calls += 1

    def arguments(self, fragment: str) -> None:
        if fragment:
            self._events.append(CallArguments(self.n_calls - 1, _encodable(fragment)))

    # Taking text.

    def pass_until(self, markers: Markers, say: Say) -> Reading[str | None]:
        """Say the text in front of the next marker, as it comes; returns the marker, which is
        taken too, or None at the end of the text."""
        while True:
            start, end = markers.find(self._text, self._at, is_last=self._is_last)
            self.n_scanned += (end if end >= 0 else len(self._text)) - self._at
            if start > self._at:
                say(self._take(start))
            if end >= 0:
                return self._take(end)
            if self._is_last:
                return None
            yield

    def text_until(self, markers: Markers) -> Reading[tuple[str, str | None]]:
        """`pass_until` for short text that is used as a whole: (text, marker or None)."""
        texts: list[str] = []
        marker = yield from self.pass_until(markers, texts.append)
        return "".join(texts), marker

    def pass_json(self, say: Say, begun: str = "") -> Reading[bool]:
        """Say a JSON value as it comes; returns whether it is complete.

        :param begun: its beginning, which was taken already and is not said.
        """
        scanner = JsonScanner()
        scanner.feed(begun, 0)
        is_whole = scanner.is_done
        while not is_whole:
            end = scanner.feed(self._text, self._at)
            self.n_scanned += end - self._at
            if end > self._at:
                say(self._take(end))
            is_whole = scanner.is_done or (self._is_last and scanner.is_scalar)
            if self._is_last:
                break
            if not is_whole:
                yield
        return is_whole

    def json_text(self) -> Reading[tuple[str, bool]]:
        """`pass_json` for a value that is used as a whole: (its text, whether it is complete)."""
        texts: list[str] = []
        is_complete = yield from self.pass_json(texts.append)
        return "".join(texts), is_complete

    def pass_run(self, pattern: re.Pattern[str], say: Say) -> Reading[None]:
        """Say characters as long as they match, each for itself; `pattern` is like ``[a-z]*``."""
        while True:
            found = pattern.match(self._text, self._at)
            end = found.end() if found else self._at
            self.n_scanned += end - self._at
            if end > self._at:
                say(self._take(end))
            if self._at < len(self._text) or self._is_last:
                return
            yield

    def run(self, pattern: re.Pattern[str]) -> Reading[str]:
        """`pass_run` for text that is used as a whole."""
        texts: list[str] = []
        yield from self.pass_run(pattern, texts.append)
        return "".join(texts)

    def skip_space(self) -> Reading[None]:
        """Take white space."""
        yield from self.pass_run(SPACE, drop)

    def peek(self) -> Reading[str]:
        """The next character, which is not taken; "" at the end."""
        while self._at == len(self._text) and not self._is_last:
            yield
        return self._text[self._at : self._at + 1]

    def character(self) -> Reading[str]:
        """Take the next character; "" at the end."""
        if not (yield from self.peek()):
            return ""
        return self._take(self._at + 1)

    def take(self, *literals: str) -> Reading[str]:
        """Take the one of these strings that the text goes on with, the longest of several;
        returns it, or "" if it is none of them."""
        longest_first = sorted(literals, key=len, reverse=True)
        while True:
            n = len(self._text) - self._at
            self.n_scanned += min(n, len(longest_first[0]))
            waits = not self._is_last and any(
                len(literal) > n and literal.startswith(self._text[self._at :])
                for literal in longest_first
                if len(literal) > n
            )
            if not waits:
                break
            yield
        for literal in longest_first:
            if self._text.startswith(literal, self._at):
                return self._take(self._at + len(literal))
        return ""

    def record(self) -> None:
        """Keep what is taken from now on, in case that it turns out to be content."""
        self._record = []

    def recorded(self) -> str:
        """What was taken since `record`, which ends."""
        texts, self._record = self._record or [], None
        return "".join(texts)

    def _take(self, end: int) -> str:
        text = self._text[self._at : end]
        self._at = end
        if self._record is not None:
            self._record.append(text)
        return text


def _encodable(text: str) -> str:
    """The text with a mark for each half of a character, which an escape in JSON may be."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def drop(_: str) -> None:
    """Say nothing."""
