"""Where and with what a run was made."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from llamabox.api import physical_cores, system_info

ROOT = Path(__file__).resolve().parent.parent


def describe_machine() -> list[tuple[str, str]]:
    """(name, value) pairs for the head of a page of results."""
    return [
        ("CPU", f"{_cpu_name()}, {physical_cores()} cores"),
        ("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        ("llamabox", f"{version('llamabox')}, commit {_commit()}"),
        ("llama-cpp-python", version("llama-cpp-python")),
        ("llama.cpp", system_info()),
        ("CMAKE_ARGS", os.environ.get("CMAKE_ARGS") or "none given"),
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """The checked-out commit, with a mark if files differ from it."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except OSError:
        return "unknown"
    return ran.stdout.strip() or "unknown"
