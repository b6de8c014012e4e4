"""A machine that lacks something is told what, once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.distributions import ROOT

TOOLS = ("cc", "c++", "cmake")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory with the tools that the check looks for, to be the whole PATH."""
    for tool in TOOLS:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    return tmp_path


def preflight(path: Path, python: str = sys.executable, **env: str) -> tuple[int, str]:
    command = ["/bin/sh", str(ROOT / "scripts/preflight.sh"), python]
    run = subprocess.run(command, env={"PATH": str(path), **env}, capture_output=True, text=True)
    return run.returncode, run.stderr


def test_complete_machine_passes_silently(machine: Path):
    assert preflight(machine) == (0, "")


@pytest.mark.parametrize(
    ("tool", "named"), [("cc", "C compiler"), ("c++", r"C\+\+ compiler"), ("cmake", "CMake")]
)
def test_missing_tool_is_named(machine: Path, tool: str, named: str):
    (machine / tool).unlink()
    status, message = preflight(machine)
    assert status == 1
    assert re.search(rf"- {named} \('{re.escape(tool)}' is not a command\)", message)
    assert message.count("\n  - ") == 1


def test_compiler_may_be_chosen_with_a_launcher(machine: Path):
    (machine / "ccache").symlink_to(machine / "cc")
    assert preflight(machine, CC="ccache gcc") == (0, "")


def test_old_python_is_refused(machine: Path):
    old = machine / "python2"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 2.7.18\nexit 1\n')
    old.chmod(0o755)
    status, message = preflight(machine, str(old))
    assert status == 1
    assert "Python >= 3.10" in message
    assert "is Python 2.7.18" in message


def test_makefile_installs_what_pyproject_builds_with():
    requires = re.search(r"^requires = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)
    makefile = re.search(r"^BUILD_DEPS := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert requires
    assert makefile
    assert re.findall('"(.*?)"', requires[1]) == re.findall('"(.*?)"', makefile[1])


def test_ci_script_is_executable():
    assert os.access(ROOT / ".ci/run", os.X_OK)
