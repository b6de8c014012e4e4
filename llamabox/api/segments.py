"""Texts that are tokenized piece by piece, so that what came before is not tokenized again.

A chat sends its whole history with every turn, and a model's tokenizer takes microseconds for each
token. Control tokens that begin and end its messages cut the text: llama.cpp tokenizes what lies
between them by itself, if the vocabulary is one of byte-pair encoding. So the tokens of a segment
are those that it has anywhere.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

from .special import SpecialToken
from .words import Encode, Tokens

CountNew = Callable[[str, bool], int]

LEAST_CHARS = 256
"""Of a text; a shorter one is as soon tokenized."""
MOST_CHARS = 4 << 20
"""Of all segments that are kept."""
IN_ANGLES = re.compile(r"<[^<>]+>")


def boundaries(special: Iterable[SpecialToken]) -> tuple[str, ...]:
    """The texts of control tokens at which texts can be cut.

    They are in angle brackets, take no white space beside them along, and no other such token has
    one in its text or could overlap it.
    """
    found: list[str] = []
    others: list[str] = []
    for token in special:
        can_cut = token.is_control and not token.strips and IN_ANGLES.fullmatch(token.text)
        (found if can_cut else others).append(token.text)
    return tuple(text for text in found if not any(meets(text, other) for other in others))


def meets(text: str, other: str) -> bool:
    """Whether two different texts can lie on the same characters."""
    if not other:
        return False
    if text in other or other in text:
        return True
    lengths = range(1, min(len(text), len(other)))
    return any(text[:n] == other[-n:] or other[:n] == text[-n:] for n in lengths)


class Segments:
    """The last segments of one tokenizer's texts, with their tokens; for any thread.

    :param encode: the tokenizer, with control tokens read as such.
    :param cuts: what every segment but the first begins with, as of `boundaries`.
    :param n_new: how many of a text's characters `encode` has to tokenize; all if it is left out.
    """

    def __init__(self, encode: Encode, cuts: Iterable[str], n_new: CountNew | None = None) -> None:
        self._encode = encode
        self._n_new = n_new or (lambda text, add_special: len(text))
        pattern = "|".join(map(re.escape, sorted(cuts, key=len, reverse=True)))
        self._cut = re.compile(pattern) if pattern else None
        self._kept: OrderedDict[tuple[str, bool], Tokens] = OrderedDict()
        self._n_chars = 0
        self._lock = threading.Lock()

    def encode(self, text: str, *, add_special: bool) -> Tokens:
        """The tokens of a text, int32 [n_tokens]: those that `encode` gives of all of it."""
        parts = self._parts(text)
        if len(parts) == 1:
            return self._encode(text, add_special)
        return self._join(parts, self._find(parts, add_special), add_special)

    def encode_known(self, text: str, most_new: int, *, add_special: bool) -> Tokens | None:
        """The same, unless there are more than `most_new` characters of it to tokenize."""
        parts = self._parts(text)
        if len(parts) == 1:
            is_known = self._n_new(text, add_special) <= most_new
            return self._encode(text, add_special) if is_known else None
        found = self._find(parts, add_special)
        for i, tokens in enumerate(found):
            if tokens is None:
                most_new -= self._n_new(parts[i], add_special and i == 0)
        return self._join(parts, found, add_special) if most_new >= 0 else None

    def _parts(self, text: str) -> list[str]:
        """A text's segments; all of it if it has none, or is short."""
        if self._cut is None or len(text) < LEAST_CHARS:
            return [text]
        starts = [0, *(cut.start() for cut in self._cut.finditer(text) if cut.start()), len(text)]
        return [text[start:end] for start, end in itertools.pairwise(starts)]

    def _find(self, parts: list[str], add_special: bool) -> list[Tokens | None]:
        """The tokens of those segments that are kept."""
        found: list[Tokens | None] = []
        with self._lock:
            for i, part in enumerate(parts):
                key = (part, add_special and i == 0)
                tokens = self._kept.get(key)
                if tokens is not None:
                    self._kept.move_to_end(key)
                found.append(tokens)
        return found

    def _join(self, parts: list[str], found: list[Tokens | None], add_special: bool) -> Tokens:
        """The tokens of all segments; those that are not found are tokenized, and kept."""
        return np.concatenate(
            [
                self._keep(part, add_special and i == 0) if tokens is None else tokens
                for i, (part, tokens) in enumerate(zip(parts, found, strict=True))
            ]
        )

    def _keep(self, part: str, add_special: bool) -> Tokens:
        key = (part, add_special)
        tokens = self._encode(part, add_special)
        with self._lock:
            if key not in self._kept and len(part) <= MOST_CHARS:
                self._kept[key] = tokens
                self._n_chars += len(part)
            while self._n_chars > MOST_CHARS:
                (dropped, _), _ = self._kept.popitem(last=False)
                self._n_chars -= len(dropped)
        return tokens
