"""Texts that are tokenized piece by piece, so that what came before is not tokenized again.

A chat sends its whole history with every turn, and a model's tokenizer takes microseconds for each
token. Control tokens that begin and end its messages cut the text: llama.cpp tokenizes what lies
between them by itself, if the vocabulary is one of byte-pair encoding. So the tokens of a segment
are those that it has anywhere.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]
Encode = Callable[[str, bool], Tokens]
"""Tokens of a text, with those that the model wants around it or without."""

LEAST_CHARS = 256
"""Of a text; a shorter one is as soon tokenized."""
MOST_CHARS = 4 << 20
"""Of all segments that are kept."""
IN_ANGLES = re.compile(r"<[^<>]+>")


def boundaries(binding: Any, address: int) -> tuple[str, ...]:
    """The texts of control tokens at which a vocabulary's texts can be cut; () if it has none.

    They are in angle brackets, take no white space beside them along, and no other such token has
    one in its text or could overlap it.

    :param binding: the module `llama_cpp`.
    :param address: a `llama_vocab*`.
    """
    if binding.llama_vocab_type(address) != binding.LLAMA_VOCAB_TYPE_BPE or (
        binding.llama_vocab_get_add_eos(address)
    ):
        return ()
    apart = binding.LLAMA_TOKEN_ATTR_CONTROL | binding.LLAMA_TOKEN_ATTR_UNKNOWN
    apart |= binding.LLAMA_TOKEN_ATTR_USER_DEFINED
    strips = binding.LLAMA_TOKEN_ATTR_LSTRIP | binding.LLAMA_TOKEN_ATTR_RSTRIP
    found: list[str] = []
    others: list[str] = []
    get_attr = binding.llama_vocab_get_attr
    for token in range(binding.llama_vocab_n_tokens(address)):
        attr = get_attr(address, token)
        if not attr & apart:
            continue
        text = binding.llama_vocab_get_text(address, token).decode("utf-8", "replace")
        can_cut = attr & binding.LLAMA_TOKEN_ATTR_CONTROL and not attr & strips
        (found if can_cut and IN_ANGLES.fullmatch(text) else others).append(text)
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

    def __init__(self, encode: Encode, cuts: Iterable[str]) -> None:
        self._encode = encode
        pattern = "|".join(map(re.escape, sorted(cuts, key=len, reverse=True)))
        self._cut = re.compile(f"(?={pattern})") if pattern else None
        self._kept: OrderedDict[tuple[str, bool], Tokens] = OrderedDict()
        self._n_chars = 0
        self._lock = threading.Lock()

    def encode(self, text: str, *, add_special: bool) -> Tokens:
        """The tokens of a text, int32 [n_tokens]: those that `encode` gives of all of it."""
        if self._cut is None or len(text) < LEAST_CHARS:
            return self._encode(text, add_special)
        parts = [part for part in self._cut.split(text) if part]
        if len(parts) == 1:
            return self._encode(text, add_special)
        return np.concatenate(
            [self._tokens(part, add_special and i == 0) for i, part in enumerate(parts)]
        )

    def _tokens(self, part: str, add_special: bool) -> Tokens:
        key = (part, add_special)
        with self._lock:
            tokens = self._kept.get(key)
            if tokens is not None:
                self._kept.move_to_end(key)
                return tokens
        tokens = self._encode(part, add_special)
        with self._lock:
            if key not in self._kept and len(part) <= MOST_CHARS:
                self._kept[key] = tokens
                self._n_chars += len(part)
            while self._n_chars > MOST_CHARS:
                (dropped, _), _ = self._kept.popitem(last=False)
                self._n_chars -= len(dropped)
        return tokens
