"""The radix tree against a naive model that knows every cell."""

from __future__ import annotations

import random

import numpy as np
import pytest

from llamabox._core.prefix_books import PrefixBooks

N_SEQUENCES = 12
LONGEST = 40


class NaiveBooks:
    """Each sequence is a list of (token, cell); sharing copies the cells' numbers."""

    def __init__(self) -> None:
        self.held: dict[int, list[tuple[int, int]]] = {i: [] for i in range(N_SEQUENCES)}
        self.keys = dict.fromkeys(range(N_SEQUENCES), 0)
        self.holder = dict.fromkeys(range(N_SEQUENCES), "none")
        self.parkings: list[int] = []
        self.n_cells_made = 0
        self.moved: set[int] = set()

    def extend(self, i: int, tokens: list[int], *, moved: bool = False) -> None:
        moved = moved or self.lasting(i) < len(self.held[i])
        for token in tokens:
            self.held[i].append((token, self.n_cells_made))
            self.moved |= {self.n_cells_made} if moved else set()
            self.n_cells_made += 1

    def lasting(self, i: int) -> int:
        return sum(cell not in self.moved for _, cell in self.held[i])

    def cells(self, *holders: str) -> set[int]:
        chosen = (i for i, holder in self.holder.items() if holder in holders)
        return {cell for i in chosen for _, cell in self.held[i]}

    def match(self, i: int, tokens: list[int], key: int) -> int:
        n = 0
        if self.keys[i] != key:
            return 0
        for (held, cell), wanted in zip(self.held[i], tokens, strict=False):
            if held != wanted or cell in self.moved:
                break
            n += 1
        return n

    def longest_match(self, tokens: list[int], key: int) -> int:
        return max(self.match(i, tokens, key) for i in self.held)

    def longest_whole(self, tokens: list[int], key: int) -> int:
        matches = {i: self.match(i, tokens, key) for i in self.held}
        return max((n for i, n in matches.items() if n == len(self.held[i])), default=0)

    def exclusive(self, i: int) -> int:
        others = {cell for j in self.held if j != i for _, cell in self.held[j]}
        return sum(cell not in others for _, cell in self.held[i])

    def common(self, i: int, j: int) -> int:
        return len({cell for _, cell in self.held[i]} & {cell for _, cell in self.held[j]})

    def with_holder(self, holder: str) -> list[int]:
        return [i for i, found in self.holder.items() if found == holder]


def array(tokens: list[int]) -> np.ndarray:
    return np.array(tokens, dtype=np.int32)


def random_tokens(rng: random.Random) -> list[int]:
    """Of few kinds, so that many are equal; a negative one stands for media."""
    return [rng.choice((-7, 0, 1)) for _ in range(rng.randint(1, LONGEST))]


def admit(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    """Begin a request: take a vacant sequence, and share the longest prefix that there is."""
    i = books.vacant()
    if i < 0:
        return
    tokens, key = random_tokens(rng), rng.choice((0, 0, 1, -(2**63)))
    source, n_match, whole = books.find(array(tokens), key)
    assert n_match == naive.longest_match(tokens, key)
    if whole >= 0:
        assert naive.holder[whole] == "parked"
        assert naive.match(whole, tokens, key) == len(naive.held[whole]) <= n_match
    ending = books.longest_whole(array(tokens), key)
    assert (len(naive.held[ending]) if ending >= 0 else 0) == naive.longest_whole(tokens, key)
    books.start(i, key)
    naive.holder[i], naive.keys[i] = "live", key
    if n_match:
        assert naive.match(source, tokens, key) == n_match
        assert books.share(source, i, n_match) == 0
        naive.held[i] = naive.held[source][:n_match]
    if tokens[n_match:]:
        books.extend(i, array(tokens[n_match:]))
        naive.extend(i, tokens[n_match:])


def grow(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    if naive.with_holder("live"):
        i = rng.choice(naive.with_holder("live"))
        tokens = random_tokens(rng)[: rng.choice((1, 1, 5))]
        books.extend(i, array(tokens))
        naive.extend(i, tokens)


def finish(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    if naive.with_holder("live"):
        i = rng.choice(naive.with_holder("live"))
        books.truncate(i, naive.lasting(i))
        naive.held[i] = naive.held[i][: naive.lasting(i)]
        books.park(i)
        naive.holder[i] = "parked"
        naive.parkings.append(i)


def resume(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    """Take a parked sequence over, cut to a part of it."""
    if naive.parkings:
        i = rng.choice(naive.parkings)
        n = rng.randint(0, len(naive.held[i]))
        books.truncate(i, n)
        books.start(i, naive.keys[i])
        naive.held[i] = naive.held[i][:n]
        naive.parkings.remove(i)
        naive.holder[i] = "live"


def shift(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    """Move the end of a live sequence up, if it is its own."""
    if not naive.with_holder("live"):
        return
    i = rng.choice(naive.with_holder("live"))
    n_kept, n_gone = sorted(rng.randint(0, len(naive.held[i])) for _ in range(2))
    n_kept = min(n_kept, naive.lasting(i))
    n_shared = max(naive.common(i, j) for j in range(N_SEQUENCES) if j != i)
    if n_shared <= n_gone < len(naive.held[i]):
        moved = random_tokens(rng)[: len(naive.held[i]) - n_gone]
        books.truncate(i, n_kept)
        books.extend_moved(i, array(moved))
        naive.held[i] = naive.held[i][:n_kept]
        naive.extend(i, moved, moved=True)


def cancel(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    if naive.with_holder("live"):
        i = rng.choice(naive.with_holder("live"))
        books.drop(i)
        naive.held[i] = []
        naive.holder[i] = "none"


def evict(rng: random.Random, books: PrefixBooks, naive: NaiveBooks) -> None:
    """Cut the end of the oldest parked sequence, or all of it."""
    i = books.oldest_parked()
    assert i == (naive.parkings[0] if naive.parkings else -1)
    if i < 0:
        return
    n = rng.choice((0, rng.randint(0, len(naive.held[i]))))
    books.truncate(i, n)
    naive.held[i] = naive.held[i][:n]
    if n == 0:
        books.drop(i)
        naive.holder[i] = "none"
        naive.parkings.remove(i)


def agree(books: PrefixBooks, naive: NaiveBooks) -> None:
    assert books.n_cells == len(naive.cells("live", "parked"))
    assert books.n_live_cells == len(naive.cells("live"))
    for i in range(N_SEQUENCES):
        assert books.n_tokens(i) == len(naive.held[i])
        assert books.tokens(i) == [token for token, _ in naive.held[i]]
        assert books.n_exclusive(i) == naive.exclusive(i)
        assert books.n_lasting(i) == naive.lasting(i)
        assert books.n_common(i, 0) == naive.common(i, 0)
        assert books.is_redundant(i) == (naive.exclusive(i) == 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_books_agree_with_a_naive_model_cell_for_cell(seed: int) -> None:
    rng = random.Random(seed)
    books, naive = PrefixBooks(N_SEQUENCES), NaiveBooks()
    operations = (admit, admit, grow, grow, shift, finish, resume, cancel, evict)
    for _ in range(2_000):
        rng.choice(operations)(rng, books, naive)
        agree(books, naive)
    for i in range(N_SEQUENCES):
        books.drop(i)
    assert books.n_cells == books.n_live_cells == 0


def test_a_match_may_end_inside_an_edge() -> None:
    books = PrefixBooks(2)
    books.start(0)
    books.extend(0, array([1, 2, 3, 4]))
    assert books.find(array([1, 2, 9]))[:2] == (0, 2)


def test_moved_cells_are_no_match_nor_what_is_behind_them() -> None:
    books = PrefixBooks(2)
    books.start(0)
    books.extend(0, array([1, 2]))
    books.extend_moved(0, array([3, 4]))
    books.extend(0, array([5, 6]))
    assert books.find(array([1, 2, 3, 4, 5, 6]))[:2] == (0, 2)
    assert (books.n_lasting(0), books.n_cells) == (2, 6)


def test_of_two_that_computed_the_same_apart_the_longer_match_is_found() -> None:
    books = PrefixBooks(3)
    for i, tokens in enumerate(([1, 2], [1, 2, 3, 4])):
        books.start(i)
        books.extend(i, array(tokens))
    assert books.n_cells == 6
    assert books.find(array([1, 2, 3, 4, 5]))[:2] == (1, 4)


def test_the_same_tokens_under_another_key_do_not_match() -> None:
    books = PrefixBooks(3)
    for i, key in enumerate((0, 5)):
        books.start(i, key)
        books.extend(i, array([1, 2, 3]))
        books.extend(i, array([4]))
    assert books.n_cells == 8
    assert [books.find(array([1, 2, 3, 9]), key)[:2] for key in (0, 5, -5)] == [
        (0, 3),
        (1, 3),
        (-1, 0),
    ]


def test_media_are_negative_tokens_like_any_other() -> None:
    books = PrefixBooks(2)
    books.start(0)
    books.extend(0, array([1, -9, -9, 2]))
    assert books.find(array([1, -9, -9, 3]))[:2] == (0, 3)
    assert books.find(array([1, -9, -8, 2]))[:2] == (0, 2)
