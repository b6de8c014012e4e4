"""Strings that are looked for in text which comes in pieces."""

from __future__ import annotations

import re


class Markers:
    """Some strings, of which the first in a text is found, however the text is cut.

    Of several at the same place the longest counts.
    """

    def __init__(self, *strings: str) -> None:
        if not strings or not all(strings):
            raise ValueError("markers are strings of one character or more")
        prefixes = {string[:n] for string in strings for n in range(1, len(string))}
        longest_first = sorted(strings, key=len, reverse=True)
        self._whole = re.compile("|".join(map(re.escape, longest_first)))
        # An unfinished marker at the text's end comes first, since a longer one may become of it.
        unfinished = "|".join(map(re.escape, sorted(prefixes, key=len, reverse=True)))
        self._either = re.compile(
            rf"(?P<unfinished>(?:{unfinished})\Z)|{self._whole.pattern}"
            if prefixes
            else rf"(?P<unfinished>(?!))|{self._whole.pattern}"
        )

    def find(self, text: str, start: int, *, is_last: bool) -> tuple[int, int]:
        """Where the first marker is, in time proportional to the text.

        :param start: index to look from.
        :param is_last: no text follows, so that an unfinished marker is none.
        :returns: the indices of its start and end. Without one, the first is where the text ends,
            or where that begins which may become a marker; the second is -1.
        """
        found = (self._whole if is_last else self._either).search(text, start)
        if found is None:
            return len(text), -1
        if not is_last and found["unfinished"] is not None:
            return found.start(), -1
        return found.span()
