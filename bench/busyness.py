"""What else ran: other programs' share of the cores, and where a thread of ours spent its time."""

from __future__ import annotations

import math
import os
import threading
import time
from pathlib import Path

STAT = Path("/proc/stat")
BUSY_FIELDS = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq, steal of the `cpu` line (proc(5))."""


class OtherWork:
    """Watches, from its making on, what everything but this process and its children computes."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._all = _machine_seconds()
        self._own = _own_seconds()

    def share(self) -> float:
        """Share of all cores, 0 to 1, other programs and other virtual machines together.

        Children count when they have ended. NaN where there is no /proc.
        """
        seconds = (time.monotonic() - self._started) * (os.cpu_count() or 1)
        others = (_machine_seconds() - self._all) - (_own_seconds() - self._own)
        return others if math.isnan(others) else max(others / seconds, 0.0)


class ThreadClock:
    """Seconds that a thread of this process has run, and has waited for a core, since a mark.

    What is left of the wall time, it was blocked: on a lock, the GIL, or for want of work.

    :param name: the thread's; `is_known` says whether there is one, and a system that tells.
    """

    def __init__(self, name: str) -> None:
        ids = [thread.native_id for thread in threading.enumerate() if thread.name == name]
        self._path = Path(f"/proc/self/task/{ids[0] if ids else 0}/schedstat")
        self.is_known = self._path.exists()

    def read(self) -> tuple[float, float]:
        """(running, waiting for a core) so far; (0, 0) if that is not known."""
        if not self.is_known:
            return 0.0, 0.0
        running, waiting, _ = self._path.read_text().split()
        return int(running) / 1e9, int(waiting) / 1e9


def _machine_seconds() -> float:
    if not STAT.exists():
        return float("nan")
    ticks = STAT.read_text().partition("\n")[0].split()[1:]
    return sum(int(ticks[i]) for i in BUSY_FIELDS) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    return sum(os.times()[:4])
