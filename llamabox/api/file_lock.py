"""One process at a time works on a file that it makes."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

__all__ = ["locked"]

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[IO[bytes]]:
    """The file at `path`, made if need be, opened for reading and appending, and locked.

    The lock goes with the process, so that nothing of it is left behind. Whoever has it may rename
    or remove the file: others then lock the next one of that name.

    :param waiting: called from time to time while another has it; may raise.
    """
    has_waited = False
    while True:
        with path.open("a+b") as file:
            while not _try_lock(file):
                if not has_waited:
                    logger.info("%s: another process is at it; waiting", path.name)
                    has_waited = True
                waiting()
                time.sleep(POLL_SECONDS)
            if _is_at(path, file):
                yield file
                return


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, file: IO[bytes]) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
