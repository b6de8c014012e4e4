"""The loading bar, and what the command line sends where."""

from __future__ import annotations

import io
import sys

import pytest

from llamabox.server.log import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_once_per_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    draw = progress_bar()
    for fraction in (0.0, 0.001, 0.5, 0.502, 1.0, 1.0):
        draw(fraction)
    *bars, last, rest = terminal.getvalue().replace("\n", "\r").split("\r")
    assert [bar[-5:] for bar in [*bars, last]] == ["  0 %", " 50 %", "100 %"]
    assert last.count("#") == 2 * bars[1].count("#") > 0
    assert rest == ""


def test_no_bar_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    progress_bar()(0.5)
    assert stderr.getvalue() == ""
