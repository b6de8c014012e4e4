"""What a person sees of a ten-minute build, and what they are told when it fails."""

from __future__ import annotations

import io

import pytest

from build_progress import LINE_WIDTH, TAIL_LINES, Progress, failure_report


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(lines: list[str], out: io.StringIO) -> str:
    progress = Progress("llama", out)
    for line in lines:
        progress.feed(line)
    progress.finish("done")
    return out.getvalue()


NINJA = [
    f"  [{i}/200] /usr/bin/c++ -O3 -o CMakeFiles/f{i}.cpp.o -c /src/f{i}.cpp" for i in range(1, 201)
]
MAKE = [f"[{i:3d}%] Building CXX object src/f{i}.cpp.o" for i in range(101)]


@pytest.mark.parametrize("lines", [NINJA, MAKE])
def test_log_file_gets_a_line_per_tenth(lines: list[str]):
    shown = show(lines, io.StringIO()).splitlines()
    assert [line.split("compiling")[1].split("%")[0].strip() for line in shown[:-1]] == [
        str(tenth) for tenth in range(0, 101, 10)
    ]
    assert shown[-1].endswith("done")


def test_terminal_gets_one_rewritten_line():
    shown = show(NINJA, Terminal())
    assert shown.count("\n") == 1
    assert shown.count("\r") == 201
    assert "compiling  50 % (100/200) f100.cpp" in shown


def test_phases_are_named_once():
    lines = ["  *** Configuring CMake...", "  -- ok", "  *** Building project with Ninja..."]
    shown = show([*lines, *lines[:1]], io.StringIO()).splitlines()
    assert [line.split()[-2] for line in shown[:2]] == ["configuring", "compiling"]


def test_report_ends_with_the_first_cause():
    log = ["ok\n", "a.cpp:1: error: no\n", *["note\n"] * 50, "b.cpp:2: error: later\n"]
    report = failure_report(log).splitlines()
    assert report[-1] == "reason: a.cpp:1: error: no"
    assert len(report) == TAIL_LINES + 2


def test_report_without_a_known_cause_is_the_tail():
    assert failure_report(["one\n", "\n", "x" * 1000]).splitlines() == [
        "one",
        "x" * (LINE_WIDTH - 4) + " ...",
    ]


def test_cause_of_a_cmake_error_is_on_the_lines_after_it():
    log = ["CMake Error at CMakeLists.txt:3 (project):\n", "  The compiler\n", "    /nope\n"]
    assert failure_report(log).endswith("(project): The compiler /nope")
