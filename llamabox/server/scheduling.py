"""How the system shares its cores between the event loop and the threads that compute."""

from __future__ import annotations

import contextlib
import os
import sys


def yield_to_computing() -> None:
    """Let the calling thread, when it wakes up, wait for a free core instead of taking one from a
    thread that computes (Linux: ``SCHED_BATCH``). Threads that it starts from now on do likewise.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
