"""llama.cpp's own server; `build_llama_server` builds it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..http_stream import Address
from ..processes import running_server
from .build_llama_server import folder_of_program

NAME = "llama-server"
VARIABLE = "LLAMABOX_LLAMA_SERVER"
MISSING = f"skipped: no {NAME} (`make peers`, or {VARIABLE}=PATH)"

# One pool for all slots, which holds longer requests than parts of it (llamabox measures which is
# faster); no layers on a GPU; what it counts, at /metrics.
FLAGS = ("-kvu", "-ngl", "0", "--metrics")


def find_binary() -> Path | None:
    """The program that $LLAMABOX_LLAMA_SERVER names, or else the built one; None without it."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else folder_of_program() / NAME
    return path if path.is_file() else None


def version() -> str:
    """What the program says of itself."""
    binary = find_binary()
    if binary is None:
        return "not built"
    ran = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60)
    lines = f"{ran.stdout}\n{ran.stderr}".splitlines()
    return next((line for line in lines if line.startswith("version")), "unknown")


@contextlib.contextmanager
def server(
    model: Path, *, n_parallel: int, n_ctx: int, n_threads: int, flags: Sequence[str] = ()
) -> Iterator[Address]:
    """A running server of `n_parallel` slots over one pool of `n_ctx` cells.

    :param flags: beside `FLAGS`.
    :raises RuntimeError: there is no such program, or it does not start.
    """
    binary = find_binary()
    if binary is None:
        raise RuntimeError(MISSING)
    words = ["-m", model, "-t", n_threads, "-tb", n_threads, "-np", n_parallel, "-c", n_ctx]
    words += [*FLAGS, *flags]
    with running_server([str(binary), *map(str, words)], ready_path="/health") as address:
        yield address
