"""Every scenario runs at its smallest size; what it measures there means nothing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench import draft_model
from bench.__main__ import SCENARIOS, main
from bench.http_stream import Address
from bench.peers import llama_server
from bench.processes import llamabox_server
from bench.report import Result, render_page, render_summary
from bench.scenarios import peer
from bench.server_pair import OUR_FLAGS, server_pair
from bench.settings import Settings, chosen_models
from llamabox import packaged_model

MACHINE = [("CPU", "a CPU"), ("llama-cpp-python", "1.2.3"), ("date", "today")]
QUICK = Settings(runs=1, quick=True, models=(packaged_model(),))
AGAINST_LLAMA_SERVER = ("streaming", "shared_prefix", "mixed_load", "pool_pressure")


@contextlib.contextmanager
def llamabox_as_peer(
    model: Path, *, n_parallel: int, n_ctx: int, n_threads: int, flags: Sequence[str] = ()
) -> Iterator[Address]:
    """What answers in the place of llama-server."""
    size = {"n_parallel": n_parallel, "n_ctx": n_ctx, "n_threads": n_threads}
    with llamabox_server(model, flags=(*OUR_FLAGS, *flags), **size) as address:
        yield address


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_measures_both_sides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_server, "find_binary", lambda: Path(__file__))
    monkeypatch.setattr(llama_server, "server", llamabox_as_peer)
    monkeypatch.setenv(draft_model.VARIABLE, str(packaged_model()))
    result = SCENARIOS[name](QUICK)
    if name == "peer" and peer.llama_cpp_python.missing_packages():
        assert "skipped" in result.notes[0]
        return
    assert result.comparisons or name in ("pool_pressure", "rate_limit")
    assert all(figure.holds is not False for figure in result.figures) or name != "pool_pressure"
    for comparison in result.comparisons:
        assert len(comparison.ours) == len(comparison.peers) >= 1
        assert comparison.ratio > 0
        assert math.isfinite(comparison.ratio)
    tells_layout = any("llamabox has chosen" in note for note in result.notes)
    assert tells_layout == (name in ("streaming", "shared_prefix", "mixed_load"))
    assert result.title in render_page(MACHINE, [result])
    assert "a CPU, llama-cpp-python 1.2.3" in render_summary(MACHINE, [result])


@pytest.mark.parametrize("name", AGAINST_LLAMA_SERVER)
def test_llama_server_that_is_not_built_is_a_note(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(llama_server.VARIABLE, str(tmp_path / "llama-server"))
    result = SCENARIOS[name](QUICK)
    assert not result.comparisons
    assert "make peers" in result.notes[0]


def test_a_draft_model_that_is_missing_is_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(draft_model.VARIABLE, str(tmp_path / "draft.gguf"))
    result = draft_model.run(QUICK)
    assert not result.comparisons
    assert "scripts/model" in result.notes[0]


def test_llama_server_that_the_environment_names_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "llama-server"
    monkeypatch.setenv(llama_server.VARIABLE, str(binary))
    assert llama_server.find_binary() is None
    with (
        pytest.raises(RuntimeError, match="no llama-server"),
        server_pair(packaged_model(), n_parallel=1, n_ctx=256),
    ):
        pass
    binary.touch()
    assert llama_server.find_binary() == binary


def test_model_that_is_missing_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLAMABOX_STORIES260K", str(tmp_path / "none.gguf"))
    paths, notes = chosen_models(Settings(), ("packaged", "stories260K"))
    assert paths == [packaged_model()]
    assert "LLAMABOX_STORIES260K" in notes[0]
    assert chosen_models(QUICK, ("stories260K",)) == ([packaged_model()], [])


def test_peer_that_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer.llama_cpp_python, "PACKAGES", ("no_such_package",))
    result = peer.run(QUICK)
    assert not result.comparisons
    assert "no_such_package" in result.notes[0]


def test_one_quick_scenario_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "core", "--quick", "--runs", "1"]) == 0
    assert "| sampling, greedy, 151,936 logits |" in capsys.readouterr().out


def test_a_scenario_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(settings: Settings) -> Result:
        raise RuntimeError("no luck")

    def succeed(settings: Settings) -> Result:
        return Result(title="Fine", about="About.")

    for name in SCENARIOS:
        monkeypatch.setitem(SCENARIOS, name, fail if name == "core" else succeed)
    assert main(["--quick"]) == 1
    out, err = capsys.readouterr()
    assert out.count("## Fine") == len(SCENARIOS) - 1
    assert "no luck" in err


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--runs", "0"]])
def test_wrong_command_line(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
