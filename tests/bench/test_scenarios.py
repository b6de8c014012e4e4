"""Every scenario runs at its smallest size; what it measures there means nothing."""

from __future__ import annotations

import math

import pytest

from bench.__main__ import SCENARIOS, main
from bench.report import render_page, render_summary
from bench.scenarios import peer
from bench.settings import Settings

MACHINE = [("CPU", "a CPU"), ("llama-cpp-python", "1.2.3"), ("date", "today")]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_measures_both_sides(name: str) -> None:
    result = SCENARIOS[name](Settings(runs=1, quick=True))
    if name == "peer" and peer.llama_cpp_python.missing_packages():
        assert "skipped" in result.notes[0]
        return
    assert result.comparisons
    for comparison in result.comparisons:
        assert len(comparison.ours) == len(comparison.peers) >= 1
        assert comparison.ratio > 0
        assert math.isfinite(comparison.ratio)
    assert result.title in render_page(MACHINE, [result])
    assert "a CPU, llama-cpp-python 1.2.3" in render_summary(MACHINE, [result])


def test_peer_that_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer.llama_cpp_python, "PACKAGES", ("no_such_package",))
    result = peer.run(Settings(quick=True))
    assert not result.comparisons
    assert "no_such_package" in result.notes[0]


def test_one_quick_scenario_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "core", "--quick", "--runs", "1"]) == 0
    assert "| sampling, greedy, 151,936 logits |" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--runs", "0"]])
def test_wrong_command_line(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
