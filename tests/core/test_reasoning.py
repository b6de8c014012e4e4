"""The reasoning of a request: its length, and the end that is forced on it."""

from __future__ import annotations

import numpy as np
import pytest

from llamabox._core.reasoning import Reasoning

FORCED = np.array([901, 902, 903], dtype=np.int32)
PIECES = {901: b"\n", 902: b"</think>", 903: b"\n\n"}
OPENING, CLOSING = 7, 8


def reasoning(**options: object) -> Reasoning:
    return Reasoning(b"</think>", opening=b"<think>", forced=FORCED, **options)  # type: ignore[arg-type]


def run(subject: Reasoning, pieces: list[bytes]) -> list[int]:
    """What was forced while `pieces` were sampled, whose ids are 100 and more."""
    forced = []
    for i, piece in enumerate(pieces):
        while subject.forced_token >= 0:
            token = subject.forced_token
            forced.append(token)
            subject.accept(token, PIECES[token])
        subject.accept(100 + i, piece)
    return forced


class TestLength:
    @pytest.mark.parametrize(
        ("is_open", "pieces", "n"),
        [
            (True, [b"a", b"b", b"</think>", b"c"], 3),
            (True, [b"a", b"</", b"thi", b"nk>c", b"d"], 4),
            (True, [b"a", b"b"], 2),
            (True, [b"<</thi", b"nk></think>", b"c"], 2),
            (True, [b"<", b"<", b"/", b"<", b"/", b"think>", b"c"], 6),
            (False, [b"<think>", b"a", b"</think>", b"c"], 3),
            (False, [b"\n ", b"<th", b"ink>a", b"</think>c"], 4),
            (False, [b"<think></think>", b"c"], 1),
            (False, [b"a", b"<think>", b"b", b"</think>"], 0),
            (False, [b"<thin", b"g>", b"</think>"], 0),
            (False, [b" ", b"<thi"], 0),
        ],
    )
    def test_ends_with_the_token_that_completes_the_tag(
        self, is_open: bool, pieces: list[bytes], n: int
    ):
        subject = reasoning(is_open=is_open)
        assert run(subject, pieces) == []
        assert subject.n_reasoning == n

    def test_tags_may_be_tokens_without_a_text(self):
        subject = reasoning(opening_token=OPENING, closing_token=CLOSING)
        for token, piece in ((OPENING, b""), (100, b"a"), (CLOSING, b""), (101, b"b")):
            subject.accept(token, piece)
        assert subject.n_reasoning == 3
        assert subject.is_over

    def test_a_template_without_an_opening_tag_has_none_in_the_output(self):
        subject = Reasoning(b"</think>")
        assert subject.is_over


class TestBudget:
    @pytest.mark.parametrize("budget", [1, 2, 5])
    def test_the_end_is_forced_behind_so_many_tokens(self, budget: int):
        subject = reasoning(is_open=True, budget=budget)
        assert run(subject, [b"x"] * (budget + 3)) == FORCED.tolist()
        assert subject.n_reasoning == budget + 2
        assert subject.is_over

    def test_an_opening_tag_of_the_output_is_not_charged(self):
        subject = reasoning(budget=2)
        for token, piece in enumerate((b"<think>", b"a")):
            subject.accept(token, piece)
        assert subject.forced_token == -1
        subject.accept(2, b"b")
        assert subject.forced_token == FORCED[0]

    def test_none_ends_it_at_once(self):
        assert reasoning(is_open=True, budget=0).forced_token == FORCED[0]
        subject = reasoning(budget=0)
        assert subject.forced_token == -1
        subject.accept(0, b"<think>")
        assert subject.forced_token == FORCED[0]

    def test_an_end_in_time_forces_nothing(self):
        subject = reasoning(is_open=True, budget=3)
        assert run(subject, [b"a", b"b", b"</think>", b"c", b"d"]) == []

    def test_an_output_without_reasoning_is_left_alone(self):
        assert run(reasoning(budget=1), [b"a"] * 9) == []

    def test_a_character_is_finished_first(self):
        subject = reasoning(is_open=True, budget=1)
        euro = "€".encode()
        for i in range(2):
            subject.accept(i, euro[i : i + 1])
            assert subject.forced_token == -1
        subject.accept(2, euro[2:])
        assert subject.forced_token == FORCED[0]

    def test_bytes_that_are_no_text_do_not_put_it_off_for_ever(self):
        subject = reasoning(is_open=True, budget=1)
        for i in range(4):
            assert subject.forced_token == -1
            subject.accept(i, b"\xf0")
        assert subject.forced_token == FORCED[0]

    def test_needs_something_to_force(self):
        with pytest.raises(ValueError, match="nothing to end"):
            Reasoning(b"</think>", budget=3)
        with pytest.raises(ValueError, match="no closing tag"):
            Reasoning(b"")
