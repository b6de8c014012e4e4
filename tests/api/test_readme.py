"""The README's library example does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def library_example() -> str:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    return next(block for block in blocks if "import llamabox" in block)


def test_the_library_example_has_at_most_12_lines() -> None:
    assert len(library_example().strip().splitlines()) <= 12


def test_the_library_example_runs_and_says_something() -> None:
    run = subprocess.run(
        [sys.executable, "-c", library_example()], capture_output=True, text=True, timeout=120
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert len(run.stdout.split()) > 5
