"""Texts are cut where they may be, and what is known of them is found."""

from __future__ import annotations

import gc
import random
import re

import numpy as np
import pytest

from llamabox._core.word_table import WordTable, token_ends

CUT = re.compile(rb"(?<=[A-Za-z0-9.,;:!?])(?= [A-Za-z])")
LAST_LINE = re.compile(rb"(?s)(.*[!-~]\n)([A-Za-z0-9][^\n]*)")
CHARACTERS = "aZ0.;\n-é\u00a0" + "a" * 6 + " " * 9


def pieces_of(text: bytes, add_special: bool) -> list[tuple[bytes, bool]]:
    """The same by regular expressions."""
    first, *rest = CUT.split(text)
    lines = LAST_LINE.fullmatch(first)
    head = [(first, add_special)] if lines is None else [(lines[1], add_special), (lines[2], False)]
    return [*head, *((piece, False) for piece in rest)]


def some_tokens(piece: bytes, add_special: bool) -> bytes:
    return np.array([*piece[::2], 1000 + add_special], dtype=np.int32).tobytes()


@pytest.mark.parametrize("n_most", [4, 1000])
def test_known_pieces_are_found_and_others_told(n_most: int) -> None:
    """Whatever was forgotten in between."""
    rng = random.Random(n_most)
    table = WordTable(n_most)
    n_found = 0
    texts = ["".join(rng.choices(CHARACTERS, k=rng.randrange(60))) for _ in range(400)]
    for text in (text.encode() for text in texts for _ in range(2)):
        add_special = text.startswith(b"a")
        pieces = pieces_of(text, add_special)
        known, gaps = table.read(text, add_special)
        tokens, n_taken = b"", 0
        for begin, end, special, n_before in gaps:
            assert (text[begin:end], special) in pieces
            tokens += known[4 * n_taken : 4 * n_before] + some_tokens(text[begin:end], special)
            n_taken = n_before
        tokens += known[4 * n_taken :]
        assert tokens == b"".join(some_tokens(*piece) for piece in pieces)
        n_found += len(pieces) - len(gaps)
        for begin, end, special, _ in gaps:
            table.add(text[begin:end], special, some_tokens(text[begin:end], special))
        assert table.n_pieces <= n_most
    assert n_found > 100


def test_long_pieces_are_not_kept() -> None:
    table = WordTable(10)
    table.add(b"a" * 128, False, some_tokens(b"", False))
    table.add(b"a" * 129, False, some_tokens(b"", False))
    table.add(b"b", False, bytes(4 * 193))
    assert table.n_pieces == 1
    assert not table.read(b"a" * 128, False)[1]
    assert table.read(b"a" * 129, False)[1] == [(0, 129, False, 0)]
    assert table.read(b"b", False)[1] == [(0, 1, False, 0)]


def test_what_the_model_wants_around_a_text_makes_another_piece() -> None:
    table = WordTable(10)
    table.add(b"", True, some_tokens(b"", True))
    assert table.read(b"", True) == (some_tokens(b"", True), [])
    assert table.read(b"", False) == (b"", [(0, 0, False, 0)])


def test_words_that_meet_are_told_apart_or_not_kept() -> None:
    """Of a small table, whose places are all near one another."""
    words = [f" {first}{second}".encode() for first in "abcdefgh" for second in "abcdefgh"]
    table = WordTable(len(words))
    for _ in range(2):
        for word in words:
            table.add(word, False, some_tokens(word, False))
    known, gaps = table.read(b"".join([b"a", *words]), False)
    missing = {(begin, end) for begin, end, _, _ in gaps}
    kept = [word for i, word in enumerate(words) if (1 + 3 * i, 4 + 3 * i) not in missing]
    assert len(kept) == table.n_pieces > len(words) // 2
    assert known == b"".join(some_tokens(word, False) for word in kept)


def test_a_text_is_read_while_another_is() -> None:
    """Where the collector of garbage runs something that reads, as it may at any new tuple."""
    table = WordTable(1000)
    table.add(b" aa", False, some_tokens(b" aa", False))
    text = b"a" + b" aa bb" * 2000
    alone = table.read(text, False)
    n_read = 0

    def read_too(*_: object) -> None:
        nonlocal n_read
        table.read(b"b" + b" aa" * 10_000, False)
        n_read += 1

    gc.callbacks.append(read_too)
    try:
        assert table.read(text, False) == alone
    finally:
        gc.callbacks.remove(read_too)
    assert n_read > 0


@pytest.mark.parametrize(
    ("texts", "tokens", "ends"),
    [
        ([b"ab", b"c"], [0, 0, 0], [2, 3]),
        ([b"ab", b"c"], [1, 0], [1, 2]),
        ([b"ab", b"c"], [0, 1], None),
        ([b"ab", b"c"], [1], None),
        ([b"ab", b"c"], [1, 0, 0], None),
        ([], [], []),
    ],
)
def test_where_the_tokens_of_texts_end(
    texts: list[bytes], tokens: list[int], ends: list[int] | None
) -> None:
    """Of one byte and of two."""
    n_bytes = np.array([1, 2], dtype=np.int32)
    assert token_ends(np.array(tokens, dtype=np.int32), n_bytes, texts) == ends
