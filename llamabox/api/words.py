"""Texts that are tokenized word by word, so that a word is tokenized once.

Byte-pair encoding never joins tokens across the pieces that a vocabulary's regular expression cuts
a text into. All expressions of `PRE_TYPES` cut where `WordTable` cuts, and between a word or a
number and the end of its line, in the same way whatever lies behind the next such place. So what
lies between two of them has the tokens that it has anywhere.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from .._core.word_table import WordTable, token_ends
from .special import SpecialToken

Tokens = npt.NDArray[np.int32]
Piece = tuple[bytes, bool]
"""A text in UTF-8, or a piece of one, and whether the tokens that the model wants around a text are
added."""
Encode = Callable[[bytes, bool], Tokens]
"""Tokens of a `Piece`."""

PRE_TYPES = frozenset(
    """
    bailingmoe bailingmoe2 chatglm-bpe codeshell command-r dbrx deepseek-coder deepseek-llm
    deepseek-r1-qwen deepseek-v3 exaone exaone4 falcon falcon3 glm4 glm5 gpt-2 gpt-4o
    granite-docling grok-2 hunyuan hunyuan-dense kimi-k2 lfm2 llama-bpe llama-v3 llama3 llama4
    megrez mellum minerva-7b minimax-m2 mpt olmo phi-2 pixtral qwen2 qwen35 refact seed-coder
    smaug-bpe smollm stablelm2 starcoder tekken
    """.split()
)
"""Values of ``tokenizer.ggml.pre``. Others join words (SuperBPE, Gemma 4), or nobody has looked."""

WORD = re.compile(rb" [A-Za-z](.*[A-Za-z0-9.,;:!?])?", re.DOTALL)
"""A piece that another word can follow."""
LINE = re.compile(rb"[A-Za-z0-9](.*[A-Za-z0-9])?", re.DOTALL)
"""A piece that a line can begin with, and that another line can follow."""
MOST_PIECES = 1 << 16
CALL_BYTES = 32
"""That are tokenized in the time that a call takes."""


def are_apart(pre: str, special: Iterable[SpecialToken]) -> bool:
    """Whether texts can be cut between their words.

    :param pre: the vocabulary's ``tokenizer.ggml.pre``.
    :param special: its special tokens: none may reach across a cut.
    """
    return pre in PRE_TYPES and not any(
        token.strips or (re.search(r"\s", token.text) and not token.text.isspace())
        for token in special
    )


class Words:
    """The words of one tokenizer's texts, with their tokens; for any thread.

    :param encode: the tokenizer.
    :param n_bytes: of text that each token stands for, int32 [n_vocab].
    :param special: the special tokens of the vocabulary, which are read in texts by their names.
    """

    def __init__(self, encode: Encode, n_bytes: Tokens, special: Iterable[SpecialToken]) -> None:
        self._encode = encode
        self._n_bytes = n_bytes.copy()
        for token in special:
            self._n_bytes[token.token] = len(token.text.encode())
        self._known = WordTable(MOST_PIECES)

    def encode(self, texts: Sequence[Piece], most_new: float = math.inf) -> list[Tokens] | None:
        """The tokens of each text, int32 [n_tokens]: those that the tokenizer gives of all of it.

        :param most_new: bytes that may have to be tokenized, with `CALL_BYTES` for each call of the
            tokenizer; None is returned if there are more.
        """
        found = [self._known.read(*text) for text in texts]
        new: dict[Piece, bytes] = {
            (text[begin:end], add_special): b""
            for (text, _), (_, gaps) in zip(texts, found, strict=True)
            for begin, end, add_special, _ in gaps
        }
        if new:
            lines, words, others = _kinds(new)
            n_calls = len(others) + bool(lines or words)
            if sum(len(text) for text, _ in new) + CALL_BYTES * n_calls > most_new:
                return None
            self._tokenize(new, lines, words)
        return [
            _filled(text, tokens, gaps, new)
            for (text, _), (tokens, gaps) in zip(texts, found, strict=True)
        ]

    def _tokenize(self, new: dict[Piece, bytes], lines: list[Piece], words: list[Piece]) -> None:
        """Set the tokens of pieces, of lines and words in one call, and keep them."""
        apart = self._apart(lines, words) if lines or words else []
        if apart is not None:
            new |= zip([*lines, *words], apart, strict=True)
        for piece, tokens in new.items():
            if not tokens:
                new[piece] = self._encode(*piece).tobytes()
            self._known.add(*piece, new[piece])

    def _apart(self, lines: list[Piece], words: list[Piece]) -> list[bytes] | None:
        """The tokens of each piece; None if they cannot be told."""
        # Words come last: what ends a clause may be one with a line feed behind it.
        parts = [b"\n" + text for text, _ in lines] + [text for text, _ in words]
        tokens = self._encode(b"".join(parts), False)
        ends = token_ends(tokens, self._n_bytes, parts)
        if ends is None:
            return None
        data, size = tokens.tobytes(), tokens.itemsize
        cuts = [0, *(size * end for end in ends)]
        apart = [data[a:b] for a, b in itertools.pairwise(cuts)]
        apart[: len(lines)] = [line[size:] for line in apart[: len(lines)]]
        return apart


def _kinds(pieces: Iterable[Piece]) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Begins of lines and words, which can be tokenized beside others, and what cannot."""
    lines: list[Piece] = []
    words: list[Piece] = []
    others: list[Piece] = []
    for piece in pieces:
        text, add_special = piece
        if add_special:
            others.append(piece)
        elif WORD.fullmatch(text):
            words.append(piece)
        elif LINE.fullmatch(text):
            lines.append(piece)
        else:
            others.append(piece)
    return lines, words, others


def _filled(
    text: bytes, tokens: bytes, gaps: list[tuple[int, int, bool, int]], new: dict[Piece, bytes]
) -> Tokens:
    """The tokens of a text with those of its gaps, as `WordTable.read` gives them."""
    size = np.dtype(np.int32).itemsize
    parts = bytearray()
    n_taken = 0
    for begin, end, add_special, n_before in gaps:
        parts += tokens[size * n_taken : size * n_before]
        parts += new[text[begin:end], add_special]
        n_taken = n_before
    parts += tokens[size * n_taken :]
    return np.frombuffer(parts, dtype=np.int32)
