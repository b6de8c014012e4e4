"""Output bytes: stop strings and unfinished UTF-8, against a search of the whole output."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from llamabox._core.text import Text

ALPHABETS = (b"ab", b"abc", "aé€😀b".encode(), bytes(range(256)), b"\xc3\xa9\xe2\x82\xac\xf0\x9f")
STOP_LETTERS = ("ab", "abc", "aé€😀b", "\u00e9\u20ac")


def release_all(pieces: Sequence[bytes], stops: Sequence[bytes]) -> tuple[list[bytes], int]:
    """What each piece releases, with the flush at the end, and the stop string that ended it."""
    text = Text(stops, longest_piece=max(map(len, pieces), default=1))
    released = []
    for piece in pieces:
        released.append(text.push(piece))
        if text.i_stop >= 0:
            break
    return [*released, text.flush()], text.i_stop


def brute_force(output: bytes, stops: Sequence[bytes]) -> tuple[bytes, int]:
    """The output before the first stop string to be completed, of several the longest."""
    for end in range(1, len(output) + 1):
        ending = [stop for stop in stops if output[:end].endswith(stop)]
        if ending:
            longest = max(ending, key=len)
            return output[: end - len(longest)], stops.index(longest)
    return output, -1


def must_be_held(output: bytes, stops: Sequence[bytes]) -> int:
    """Bytes at the end that may become a stop string, or a character."""
    n_stop = max(
        (n for stop in stops for n in range(1, len(stop)) if output.endswith(stop[:n])), default=0
    )
    return max(n_stop, unfinished_bytes(output))


def unfinished_bytes(output: bytes) -> int:
    """Length of the lead byte at the end with its continuation bytes, if more must follow."""
    for n in range(1, min(len(output), 3) + 1):
        lead = output[-n]
        if lead & 0xC0 != 0x80:
            wanted = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
            return n if wanted > n else 0
    return 0


def random_stops(rng: random.Random) -> list[bytes]:
    """Up to four different ones, some of them with a repeated beginning or inside one another."""
    letters = rng.choice(STOP_LETTERS)
    stops = {"".join(rng.choices(letters, k=rng.randint(1, 5))) for _ in range(rng.randint(0, 3))}
    if rng.random() < 0.3:
        stops.add(rng.choice(letters) * rng.randint(2, 4) + rng.choice(letters))
    return [stop.encode() for stop in sorted(stops, key=lambda _: rng.random())]


def random_pieces(rng: random.Random) -> list[bytes]:
    alphabet = rng.choice(ALPHABETS)
    count = rng.randint(0, 12)
    return [bytes(rng.choices(alphabet, k=rng.randint(0, 6))) for _ in range(count)]


def random_cases(n: int, seed: int) -> list[tuple[list[bytes], list[bytes]]]:
    rng = random.Random(seed)
    return [(random_pieces(rng), random_stops(rng)) for _ in range(n)]


def test_random_pieces_release_what_a_search_of_the_whole_output_gives() -> None:
    n_stopped = 0
    for pieces, stops in random_cases(20_000, seed=1):
        released, i_stop = release_all(pieces, stops)
        assert (b"".join(released), i_stop) == brute_force(b"".join(pieces), stops), (pieces, stops)
        n_stopped += i_stop >= 0
    assert n_stopped > 2_000


def test_exactly_what_may_become_a_stop_or_a_character_is_held_back() -> None:
    for pieces, stops in random_cases(10_000, seed=2):
        text, output, n_released = Text(stops, longest_piece=8), b"", 0
        for piece in pieces:
            n_released += len(text.push(piece))
            output += piece
            if text.i_stop >= 0:
                break
            held = len(output) - n_released
            assert held == must_be_held(output, stops), (pieces, stops, output)


def test_chunks_decoded_one_by_one_join_to_the_whole_decoded() -> None:
    for pieces, stops in random_cases(10_000, seed=3):
        released, _ = release_all(pieces, stops)
        chunks = "".join(chunk.decode("utf-8", "replace") for chunk in released)
        assert chunks == b"".join(released).decode("utf-8", "replace"), (pieces, stops)


@pytest.mark.parametrize(
    ("output", "stops"),
    [
        ("one two STOP three", ["STOP"]),
        ("aaaaab", ["aaab"]),
        ("ababac rest", ["abac"]),
        ("xabcy", ["abc", "b", "bcy"]),
        ("xabcy", ["bc", "abc", "c"]),
        ("é€😀 fin €nd", ["€n", "😀!"]),
        ("aabaabaaab", ["aabaaab", "baabaaa"]),
        ("never", ["neverending"]),
    ],
)
def test_a_split_at_every_byte_makes_no_difference(output: str, stops: list[str]) -> None:
    data, encoded = output.encode(), [stop.encode() for stop in stops]
    expected = brute_force(data, encoded)
    for i in range(len(data) + 1):
        for j in range(i, len(data) + 1):
            released, i_stop = release_all([data[:i], data[i:j], data[j:]], encoded)
            assert (b"".join(released), i_stop) == expected


def test_a_stop_ends_the_output_within_a_piece_and_drops_what_follows() -> None:
    text = Text([b"\n\n"], longest_piece=16)
    assert text.push(b"one\n") == b"one"
    assert text.push(b"\ntwo") == b""
    assert (text.i_stop, text.flush()) == (0, b"")


def test_an_unfinished_character_is_released_at_the_end() -> None:
    text = Text()
    assert text.push("€".encode()[:2]) == b""
    assert text.flush() == "€".encode()[:2]


def test_a_long_stop_string_that_almost_comes_again_and_again_is_all_released() -> None:
    stop = b"a" * 200 + b"b"
    text = Text([stop], longest_piece=4)
    released = b"".join(text.push(b"aaaa") for _ in range(1000)) + text.push(b"ac") + text.flush()
    assert released == b"a" * 4001 + b"c"
    assert text.i_stop == -1
