"""Texts that are tokenized word by word, so that a word is tokenized once.

Byte-pair encoding never joins tokens across the pieces that a vocabulary's regular expression cuts
a text into. All expressions of `PRE_TYPES` cut between the end of a word, a number or a clause and
a space that a word follows, between the end of a line and a word or a number, and between these and
the end of their line. What lies between two such places has the tokens that it has anywhere.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import string
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from .special import SpecialToken

Tokens = npt.NDArray[np.int32]
Text = tuple[str, bool]
"""A text, and whether the tokens that the model wants around it are added."""
Encode = Callable[[str, bool], Tokens]
"""Tokens of a `Text`."""

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

CUT = re.compile(r" (?=[A-Za-z])(?<=[A-Za-z0-9.,;:!?] )")
ALNUM = frozenset(string.ascii_letters + string.digits)
ENDS = ALNUM | frozenset(".,;:!?")
"""What a word ends with that another can follow."""
LONGEST = 128
"""Characters of a piece that is kept."""
MOST_PIECES = 1 << 16
CALL_CHARS = 32
"""That are tokenized in the time that a call takes."""

Piece = str | Text
"""A word without the space before it, the begin of a line with the line feed before it, which both
can be tokenized beside others; or a text that is tokenized alone."""


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
    :param n_bytes: of each token, int32 [n_vocab]; 0 for those that no text can mean.
    :param special: the special tokens of the vocabulary.
    """

    def __init__(self, encode: Encode, n_bytes: Tokens, special: Iterable[SpecialToken]) -> None:
        self._encode = encode
        self._n_bytes = n_bytes
        control = "|".join(re.escape(token.text) for token in special if token.is_control)
        self._control = re.compile(control or "(?!)")
        self._known: dict[Piece, bytes] = {}

    def encode(self, texts: Iterable[Text], most_new: float = math.inf) -> list[Tokens] | None:
        """The tokens of each text, int32 [n_tokens]: those that the tokenizer gives of all of it.

        :param most_new: characters that may have to be tokenized, with `CALL_CHARS` for each call
            of the tokenizer; None is returned if there are more.
        """
        split = [_pieces(*text) for text in texts]
        found = [list(map(self._known.get, pieces)) for pieces in split]
        gaps = [(i, j) for i, tokens in enumerate(found) for j in _gaps(tokens)]
        if gaps:
            unknown = dict.fromkeys(split[i][j] for i, j in gaps)
            if _cost(unknown) > most_new:
                return None
            new = self._tokenize(unknown)
            for i, j in gaps:
                found[i][j] = new[split[i][j]]
        return [_joined(tokens) for tokens in found]

    def _tokenize(self, unknown: Iterable[Piece]) -> dict[Piece, bytes]:
        """Tokenize pieces, in one call those that can be, and keep them."""
        new = self._tokenize_words([piece for piece in unknown if isinstance(piece, str)])
        for piece in unknown:
            if piece not in new:
                new[piece] = self._tokenize_alone(piece)
        if len(self._known) >= MOST_PIECES:
            self._known.clear()
        short = (pair for pair in new.items() if _n_chars(pair[0]) <= LONGEST)
        self._known.update(itertools.islice(short, MOST_PIECES - len(self._known)))
        return new

    def _tokenize_alone(self, piece: Piece) -> bytes:
        if isinstance(piece, str):
            piece = (piece[1:] if piece[0] == "\n" else f" {piece}", False)
        return self._encode(*piece).tobytes()

    def _tokenize_words(self, words: list[str]) -> dict[Piece, bytes]:
        """The tokens of words and lines, but of those that have a control token in them."""
        # A clause may be one piece with the end of its line.
        words.sort(key=lambda word: word[0] != "\n")
        apart = self._apart(words)
        if apart is None:
            words = [word for word in words if not self._control.search(word)]
            apart = self._apart(words)
        return {} if apart is None else dict(zip(words, apart, strict=True))

    def _apart(self, words: list[str]) -> list[bytes] | None:
        """The tokens of each word or line; None where they cannot be told, as with a control token.

        :param words: the lines first.
        """
        if not words:
            return []
        parts = [word if word[0] == "\n" else f" {word}" for word in words]
        tokens = self._encode("".join(parts), False)
        ends = np.cumsum([len(part.encode()) for part in parts])
        token_ends = np.cumsum(self._n_bytes[tokens])
        if len(tokens) == 0 or token_ends[-1] != ends[-1]:
            return None
        last = np.searchsorted(token_ends, ends)
        if not np.array_equal(token_ends[last], ends):
            return None
        data = tokens.tobytes()
        cuts = [0, *(tokens.itemsize * (last + 1)).tolist()]
        apart = [data[a:b] for a, b in itertools.pairwise(cuts)]
        n_lines = sum(word[0] == "\n" for word in words)
        apart[:n_lines] = [line[tokens.itemsize :] for line in apart[:n_lines]]
        return apart


def _pieces(text: str, add_special: bool) -> list[Piece]:
    """The words of a text, and what is before them and, if no word can follow the last, behind."""
    head, *words = CUT.split(text)
    pieces: list[Piece] = [(head, add_special), *words]
    if words and words[-1][-1] not in ENDS:
        pieces[-1] = (f" {words[-1]}", False)
    above, feed, line = head.rpartition("\n")
    if feed and line[:1] in ALNUM:
        begin: Piece = feed + line if line[-1] in ALNUM else (line, False)
        pieces[:1] = [(above + feed, add_special), begin]
    return pieces


def _gaps(tokens: list[bytes | None]) -> Iterator[int]:
    """Where nothing was found."""
    i = -1
    with contextlib.suppress(ValueError):
        while True:
            i = tokens.index(None, i + 1)
            yield i


def _cost(unknown: Iterable[Piece]) -> int:
    """Characters of pieces, with `CALL_CHARS` for each call that tokenizes them."""
    n_texts = sum(not isinstance(piece, str) for piece in unknown)
    n_calls = n_texts + any(isinstance(piece, str) for piece in unknown)
    return n_calls * CALL_CHARS + sum(map(_n_chars, unknown))


def _n_chars(piece: Piece) -> int:
    return len(piece if isinstance(piece, str) else piece[0])


def _joined(parts: Iterable[bytes | None]) -> Tokens:
    tokens: Tokens = np.frombuffer(bytearray().join(filter(None, parts)), dtype=np.int32)
    return tokens
