"""Texts that are tokenized word by word, so that a word is tokenized once.

Byte-pair encoding never joins tokens across the pieces that a vocabulary's regular expression cuts
a text into. All expressions of `PRE_TYPES` cut between the end of a word, a number or a clause and
a space that a word follows; what lies between two such places has the tokens that it has anywhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from .special import SpecialToken

Tokens = npt.NDArray[np.int32]
Encode = Callable[[str, bool], Tokens]
"""Tokens of a text, with those that the model wants around it or without."""

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
LONGEST = 48
"""Characters of a word that is kept."""
MOST_WORDS = 1 << 16
RUN_CHARS = 32
"""That are tokenized in the time that a call takes."""
MOST_RUNS = 16
"""Calls of the tokenizer for what is new in a text; in more, all of it is tokenized at once."""

Run = tuple[int, int]


def are_apart(pre: str, special: Iterable[SpecialToken]) -> bool:
    """Whether texts can be cut between their words.

    :param pre: the vocabulary's ``tokenizer.ggml.pre``.
    :param special: its special tokens: none may reach across a cut.
    """
    return pre in PRE_TYPES and not any(
        token.strips or (" " in token.text and not token.text.isspace()) for token in special
    )


class Words:
    """The words of one tokenizer's texts, with their tokens; for any thread.

    :param encode: the tokenizer.
    :param n_bytes: of each token, int32 [n_vocab]; 0 for those that no text can mean.
    """

    def __init__(self, encode: Encode, n_bytes: Tokens) -> None:
        self._encode = encode
        self._n_bytes = n_bytes
        self._heads: dict[tuple[str, bool], bytes] = {}
        self._known: dict[str, bytes] = {}

    def encode(self, text: str, add_special: bool) -> Tokens:
        """The tokens of a text, int32 [n_tokens]: those that the tokenizer gives of all of it."""
        head, *words = CUT.split(text)
        found = list(map(self._known.get, words))
        if None in found:
            for run in _runs(found):
                self._tokenize(words, found, run)
        parts: list[bytes] = [self._head(head, add_special), *filter(None, found)]
        tokens: Tokens = np.frombuffer(bytearray().join(parts), dtype=np.int32)
        return tokens

    def n_new(self, text: str, add_special: bool) -> int:
        """Characters of a text that `encode` would have to tokenize, and `RUN_CHARS` for each call
        of the tokenizer."""
        head, *words = CUT.split(text)
        n = 0 if (head, add_special) in self._heads else RUN_CHARS + len(head)
        known = self._known
        follows_new = False
        for word in words:
            is_new = word not in known
            if is_new:
                n += len(word) + (0 if follows_new else RUN_CHARS)
            follows_new = is_new
        return n

    def _head(self, text: str, add_special: bool) -> bytes:
        """The tokens of what comes before the first cut."""
        known = self._heads.get((text, add_special))
        if known is None:
            known = self._encode(text, add_special).tobytes()
            if len(text) <= LONGEST:
                _make_room(self._heads)
                self._heads[text, add_special] = known
        return known

    def _tokenize(self, words: list[str], found: list[bytes | None], run: Run) -> None:
        """Find the tokens of a run of words, and keep them."""
        start, end = run
        new = words[start:end]
        tokens = self._encode(" " + " ".join(new), False)
        apart = self._apart(tokens, new)
        if apart is None:
            found[start:end] = [tokens.tobytes(), *[b""] * (len(new) - 1)]
            return
        found[start:end] = apart
        _make_room(self._known)
        short = (pair for pair in zip(new, apart, strict=True) if len(pair[0]) <= LONGEST)
        self._known.update(itertools.islice(short, MOST_WORDS - len(self._known)))

    def _apart(self, tokens: Tokens, words: list[str]) -> list[bytes] | None:
        """The tokens of each word, where all can be told: there is a control token in none."""
        if len(words) == 1:
            return [tokens.tobytes()]
        ends = np.cumsum([1 + len(word.encode()) for word in words])
        token_ends = np.cumsum(self._n_bytes[tokens])
        if len(tokens) == 0 or token_ends[-1] != ends[-1]:
            return None
        last = np.searchsorted(token_ends, ends)
        if not np.array_equal(token_ends[last], ends):
            return None
        data = tokens.tobytes()
        cuts = [0, *(tokens.itemsize * (last + 1)).tolist()]
        return [data[a:b] for a, b in itertools.pairwise(cuts)]


def _runs(found: list[bytes | None]) -> list[Run]:
    """Where words are not known: runs of them, or from the first to the last if they are many."""
    unknown = [i for i, tokens in enumerate(found) if tokens is None]
    starts = [i for i in unknown if i == 0 or found[i - 1] is not None]
    if len(starts) > MOST_RUNS:
        return [(unknown[0], unknown[-1] + 1)]
    ends = [i + 1 for i in unknown if i + 1 == len(found) or found[i + 1] is not None]
    return list(zip(starts, ends, strict=True))


def _make_room(kept: dict[str, bytes] | dict[tuple[str, bool], bytes]) -> None:
    if len(kept) >= MOST_WORDS:
        kept.clear()
