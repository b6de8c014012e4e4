"""Where a machine keeps what benchmarks need and no clone should hold: built peers, models."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def cache_dir(name: str) -> Path:
    """The folder `name` beside the cached wheels, in $XDG_CACHE_HOME or ~/.cache; it exists."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "llamabox" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, after whoever holds it now: one process makes an entry."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that makes {path.stem} ...", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
