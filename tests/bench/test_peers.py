"""Building llama-server: once for each choice of flags, and errors that say where to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.peers import build_llama_server, llama_server
from bench.peers.build_llama_server import BuildError, build, folder_of_program, main, sources


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    monkeypatch.delenv(llama_server.VARIABLE, raising=False)
    return tmp_path / "llamabox" / "peers"


def test_what_is_there_is_not_built_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(build_llama_server, "_run", lambda command, log: commands.append(command))
    monkeypatch.setattr(build_llama_server, "_download", lambda folder: folder.mkdir())
    assert llama_server.find_binary() is None
    folder_of_program().mkdir()
    (folder_of_program() / llama_server.NAME).touch()
    assert build() == folder_of_program()
    assert sources().parent == folder_of_program().parent == cache
    assert main() == 0
    assert str(folder_of_program()) in capsys.readouterr().out
    assert llama_server.find_binary() == folder_of_program() / llama_server.NAME
    assert not commands


def test_other_flags_are_another_build(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = folder_of_program()
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")
    assert folder_of_program() != default
    assert folder_of_program().parent == cache


def test_a_build_leaves_the_program_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], log: Path) -> None:
        if "--build" in command:
            folder = Path(command[2]) / "bin"
            folder.mkdir(parents=True)
            (folder / llama_server.NAME).write_text(llama_server.NAME)

    monkeypatch.setattr(build_llama_server, "_run", run)
    monkeypatch.setattr(build_llama_server, "_download", lambda folder: folder.mkdir())
    assert (build() / llama_server.NAME).read_text() == llama_server.NAME
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") == sorted(
        [folder_of_program().name, sources().name]
    )


def test_a_command_that_fails_names_its_log(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = cache.parent / "build.log"
    log.parent.mkdir(parents=True)
    with pytest.raises(BuildError, match=r"build\.log"):
        build_llama_server._run(["false"], log)


def test_version_is_the_first_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "llama-server"
    monkeypatch.setenv(llama_server.VARIABLE, str(binary))
    assert llama_server.version() == "not built"
    binary.write_text("#!/bin/sh\necho loading\necho version: 7 >&2\n")
    binary.chmod(0o755)
    assert llama_server.version() == "version: 7"
    binary.write_text("#!/bin/sh\n")
    assert llama_server.version() == "unknown"


def test_a_build_that_fails_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], log: Path) -> None:
        raise BuildError("no compiler")

    monkeypatch.setattr(build_llama_server, "_run", fail)
    assert main() == 1
    assert "no compiler" in capsys.readouterr().err
    assert {path.suffix for path in cache.iterdir()} == {".lock"}
