"""Turns in which markers begin calls and reasoning, and everything else is content."""

from __future__ import annotations

import abc
from collections.abc import Mapping

from .markers import Markers
from .text_parser import SPACE, Reading, TextParser


class Marks:
    """The markers of a format.

    :param calls: that begin one call or several.
    :param thoughts: that begin reasoning, each with what ends it.
    :param silent: that mean nothing by themselves, such as those around content.
    :param around: what a whole answer begins and ends with, which may be in its text as well.
    """

    def __init__(
        self,
        *calls: str,
        thoughts: Mapping[str, str] | None = None,
        silent: tuple[str, ...] = (),
        around: tuple[str, str] | None = None,
    ) -> None:
        self.thoughts = {begin: Markers(end) for begin, end in (thoughts or {}).items()}
        self.silent = frozenset(silent)
        self.around = around
        self.all = Markers(*calls, *self.thoughts, *silent, *(around or ())[1:])


class TurnParser(TextParser):
    """Base of the parsers of such turns: what is left to them is to take calls.

    :cvar marks: of the format.
    :ivar takes_calls: there are tools to call; else what looks like a call is content.
    """

    marks: Marks
    takes_calls = True

    def parse(self) -> Reading[None]:
        yield from self.pass_turn()

    def pass_turn(self) -> Reading[None]:
        """Take what is left of the text."""
        opening, closing = self.marks.around or ("", "")
        is_inside = bool(opening) and (yield from self._take_first(opening))
        while marker := (yield from self.pass_until(self.marks.all, self.content)):
            if marker in self.marks.silent:
                continue
            if marker == closing:
                if not is_inside:
                    self.content(marker)
                is_inside = False
                continue
            if ends := self.marks.thoughts.get(marker):
                yield from self.think(ends)
                continue
            if not self.takes_calls:
                self.content(marker)
                continue
            self.record()
            if not (yield from self.read_calls(marker)):
                self.content(marker + self.recorded())

    def _take_first(self, opening: str) -> Reading[bool]:
        """Take this, and white space in front of it, if the text goes on with it."""
        space = yield from self.run(SPACE)
        if (yield from self.take(opening)):
            return True
        self.content(space)
        return False

    @abc.abstractmethod
    def read_calls(self, marker: str) -> Reading[bool]:
        """Take what a marker begins and say its calls.

        What is taken is on record. If it is no call, the record is content; if it is one, the
        record has been ended.

        :returns: whether it is a call.
        """

    def think(self, ends: Markers) -> Reading[str | None]:
        """Say reasoning up to its end, without the white space around it."""
        space: list[str] = []

        def say(text: str) -> None:
            kept = text.rstrip()
            if kept:
                self.reasoning("".join(space) + kept)
                space.clear()
            if len(kept) < len(text):
                space.append(text[len(kept) :])

        yield from self.skip_space()
        marker = yield from self.pass_until(ends, say)
        yield from self.skip_space()
        return marker
