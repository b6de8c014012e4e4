"""Texts that are tokenized piece by piece, so that what came before is not tokenized again.

A chat sends its whole history with every turn, and a model's tokenizer takes microseconds for each
token. Control tokens that begin and end its messages cut the text: llama.cpp tokenizes what lies
between them by itself, if the vocabulary is one of byte-pair encoding. So the tokens of a segment
are those that it has anywhere.
"""

from __future__ import annotations

import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .special import SpecialToken
from .words import Tokens

Text = tuple[str, bool]
"""A text, and whether the tokens that the model wants around it are added."""
EncodeAll = Callable[[Sequence[Text], float], list[Tokens] | None]
"""Tokens of each text; None if more bytes than so many have to be tokenized."""

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
    """

    def __init__(self, encode: EncodeAll, cuts: Iterable[str]) -> None:
        self._encode = encode
        pattern = "|".join(map(re.escape, sorted(cuts, key=len, reverse=True)))
        self._cut = re.compile(f"({pattern})") if pattern else None
        self._kept: OrderedDict[Text, Tokens] = OrderedDict()
        self._n_chars = 0
        self._lock = threading.Lock()

    def encode(self, text: str, *, add_special: bool) -> Tokens:
        """The tokens of a text, int32 [n_tokens]: those that the tokenizer gives of all of it."""
        tokens = self.encode_known(text, math.inf, add_special=add_special)
        assert tokens is not None
        return tokens

    def encode_known(self, text: str, most_new: float, *, add_special: bool) -> Tokens | None:
        """The same, unless more than `most_new` bytes of it have to be tokenized, about."""
        segments = [(part, add_special and i == 0) for i, part in enumerate(self._parts(text))]
        if len(segments) == 1:
            whole = self._encode(segments, most_new)
            return None if whole is None else whole[0]
        found = self._find(segments)
        missing = [segment for segment in segments if segment not in found]
        if missing:
            new = self._encode(missing, most_new)
            if new is None:
                return None
            fresh = dict(zip(missing, new, strict=True))
            self._keep(fresh)
            found |= fresh
        return np.concatenate([found[segment] for segment in segments])

    def _parts(self, text: str) -> list[str]:
        """A text's segments; all of it if it has none, or is short."""
        if self._cut is None or len(text) < LEAST_CHARS:
            return [text]
        first, *others = self._cut.split(text)
        rest = [cut + uncut for cut, uncut in zip(others[::2], others[1::2], strict=True)]
        return [first, *rest] if first else rest

    def _find(self, segments: list[Text]) -> dict[Text, Tokens]:
        """The tokens of those segments that are kept."""
        found = {}
        with self._lock:
            for segment in segments:
                tokens = self._kept.get(segment)
                if tokens is not None:
                    self._kept.move_to_end(segment)
                    found[segment] = tokens
        return found

    def _keep(self, new: dict[Text, Tokens]) -> None:
        with self._lock:
            for segment, tokens in new.items():
                if segment not in self._kept and len(segment[0]) <= MOST_CHARS:
                    self._kept[segment] = tokens
                    self._n_chars += len(segment[0])
            while self._n_chars > MOST_CHARS:
                (dropped, _), _ = self._kept.popitem(last=False)
                self._n_chars -= len(dropped)
