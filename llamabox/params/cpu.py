"""Where compute threads run, and how they wait."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..checks import check_bool, check_int
from ..errors import InvalidRequest

MAX_CPUS = 512
"""CPUs and threads that ggml counts (``GGML_MAX_N_THREADS``)."""
PRIORITIES = (-1, 3)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuParams:
    """Placement and priority of compute threads (``ggml_threadpool_params``).

    :param cpus: numbers of the CPUs that they may run on; () for all of the process's.
    :param strict: each thread stays on one of those, in turn.
    :param priority: 0 normal, 1 medium, 2 high, 3 realtime, -1 low.
    :param poll: how long they wait by spinning for the next graph, 0 to 100; without effect where
        llama.cpp was built with OpenMP, whose threads wait as OpenMP has it.
    """

    cpus: tuple[int, ...] = ()
    strict: bool = False
    priority: int = 0
    poll: int = 50

    def __post_init__(self) -> None:
        cpus: Any = self.cpus
        if not isinstance(cpus, tuple):
            raise InvalidRequest(f"cpus: {cpus!r} is not a tuple", param="cpus")
        for cpu in cpus:
            is_int = isinstance(cpu, int) and not isinstance(cpu, bool)
            if not is_int or not 0 <= cpu < MAX_CPUS:
                message = f"cpus: {cpu!r} is not within 0 to {MAX_CPUS - 1}"
                raise InvalidRequest(message, param="cpus")
        check_bool(self, "strict")
        check_int(self, "priority", *PRIORITIES)
        check_int(self, "poll", 0, 100)
