"""A stand-in for pip, for tests that count builds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
import os, sys, time
from pathlib import Path

if "download" in sys.argv:
    target = Path(sys.argv[sys.argv.index("--dest") + 1])
    Path(os.environ["FAKE_PIP_CALLS"] + ".downloads").open("a").write("download\\n")
    if "FAKE_PIP_OFFLINE" in os.environ:
        sys.exit("ERROR: No matching distribution found")
    (target / "llama_cpp_python-0.0.1.tar.gz").write_bytes(b"sdist")
    sys.exit()
Path(os.environ["FAKE_PIP_CALLS"]).open("a").write(os.environ["CMAKE_ARGS"] + "\\n")
print("Building wheels for collected packages: llama-cpp-python", flush=True)
print("  [1/2] /usr/bin/c++ -c /src/first.cpp", flush=True)
time.sleep(float(os.environ.get("FAKE_PIP_SECONDS", "0")))
if "FAKE_PIP_FAILS" in os.environ:
    sys.exit("/src/second.cpp:7:1: fatal error: vector: No such file or directory")
target = Path(sys.argv[sys.argv.index("--wheel-dir") + 1])
(target / "llama_cpp_python-0.0.1-py3-none-any.whl").write_bytes(b"wheel")
"""


@dataclass(frozen=True)
class FakePip:
    """A stand-in for pip that writes a wheel at once and counts how often it was asked to."""

    command: tuple[str, ...]
    calls: Path
    env: dict[str, str]

    def n_downloads(self) -> int:
        path = Path(f"{self.calls}.downloads")
        return len(path.read_text().splitlines()) if path.exists() else 0

    def builds(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []
