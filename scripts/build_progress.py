"""Watches a long `pip wheel -v` build: progress on screen, and the reason when it fails."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable
from typing import TextIO

STEP = re.compile(r"^\s*\[\s*(?:(\d+)/(\d+)|(\d+)%)\]\s*(.*)")  # ninja's [3/197], make's [ 12%]
PHASES = {
    "Collecting llama-cpp-python": "downloading",
    "Installing build dependencies": "installing its build tools",
    "Preparing metadata": "reading its metadata",
    "*** Configuring CMake": "configuring",
    "*** Building project": "compiling",
    "*** Installing project": "packing",
}
REASON = re.compile(
    r"CMake Error|fatal error|\berror:|FAILED:|No space left|Killed|Permission denied"
    r"|No matching distribution|Could not find a version|ReadTimeout|ConnectionError",
)
TAIL_LINES = 25
LINE_WIDTH = 200


class Progress:
    """Turns build output into one rewritten line on a terminal, or a line per tenth elsewhere."""

    def __init__(self, title: str, out: TextIO) -> None:
        self.title = title
        self.out = out
        self.live = out.isatty()
        self.started = time.monotonic()
        self.phase = ""
        self.shown_tenth = -1

    def feed(self, line: str) -> None:
        step = STEP.match(line)
        if step:
            self._show_step(step)
            return
        text = line.strip()
        for prefix, phase in PHASES.items():
            if text.startswith(prefix) and phase != self.phase:
                self.phase = phase
                self._write(f"{phase} ...")

    def finish(self, outcome: str) -> None:
        self._write(outcome)
        if self.live:
            self.out.write("\n")
            self.out.flush()

    def _show_step(self, step: re.Match[str]) -> None:
        done, total, percent, command = step.groups()
        percent = int(percent) if percent else 100 * int(done) // max(int(total), 1)
        if not self.live and percent // 10 <= self.shown_tenth:
            return
        self.shown_tenth = percent // 10
        count = f" ({done}/{total})" if total else ""
        self._write(f"compiling {percent:3d} %{count} {built_file(command) if self.live else ''}")

    def _write(self, text: str) -> None:
        seconds = int(time.monotonic() - self.started)
        line = f"{self.title}  {seconds // 60}:{seconds % 60:02d}  {text}".rstrip()
        if self.live:
            line = line[: shutil.get_terminal_size().columns - 1]
            self.out.write(f"\r\x1b[K{line}")
        else:
            self.out.write(f"{line}\n")
        self.out.flush()


def built_file(command: str) -> str:
    """The name of the file that a compiler or linker command, or a line of make, speaks of."""
    output = re.search(r" -o (\S+)", command)
    words = [output[1]] if output else command.split()
    return words[-1].rpartition("/")[2].removesuffix(".o") if words else ""


def failure_report(log: Iterable[str]) -> str:
    """The last lines of a build log, then the first message that looks like the cause."""
    lines = [shorten(line) for line in log if line.strip()]
    tail = "\n".join(lines[-TAIL_LINES:])
    first = next((i for i, line in enumerate(lines) if REASON.search(line)), None)
    if first is None:
        return tail
    # CMake puts what is wrong on the lines after "CMake Error at CMakeLists.txt:3 (project):".
    message = lines[first : first + (4 if lines[first].endswith(":") else 1)]
    return f"{tail}\n\nreason: {' '.join(line.strip() for line in message)}"


def shorten(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= LINE_WIDTH else f"{line[: LINE_WIDTH - 4]} ..."
