"""Compute threads that stay on certain CPUs, or have a priority: ggml's threadpools."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InvalidRequest
from ..params import CpuParams, EngineParams
from .context import OwnedContext
from .library import captured_errors
from .system import default_threads, ggml_library, system_info

__all__ = ["ComputeThreads"]

MAX_THREADS = 512
"""``GGML_MAX_N_THREADS``."""
FIFO_LOWEST = 1
NICE = (5, 0, -5, -10, -20)
"""What priorities from -1 add to a thread's niceness, as llama.cpp's tools do (``setpriority``)."""

logger = logging.getLogger(__name__)


class _PoolParams(ctypes.Structure):
    """``ggml_threadpool_params``."""

    _fields_ = (
        ("cpumask", ctypes.c_bool * MAX_THREADS),
        ("n_threads", ctypes.c_int),
        ("prio", ctypes.c_int),
        ("poll", ctypes.c_uint32),
        ("strict_cpu", ctypes.c_bool),
        ("paused", ctypes.c_bool),
    )


class ComputeThreads:
    """Runs a step thread with compute threads as `EngineParams` ask for them.

    :param contexts: those that the step thread computes on.
    :raises InvalidRequest: none of the CPUs is one that this process may use.
    """

    def __init__(self, params: EngineParams, contexts: Sequence[OwnedContext]) -> None:
        self._contexts = contexts
        n_threads = params.n_threads or default_threads()
        self._decode = _described(params.cpu, n_threads)
        batch = params.cpu if params.cpu_batch is None else params.cpu_batch
        self._batch = _described(batch, params.n_threads_batch or n_threads)
        self._is_default = params.cpu == batch == CpuParams()
        if not self._is_default:
            _warn(params.cpu, n_threads)

    def step_thread(self, main: Callable[[], None]) -> threading.Thread:
        """A thread that runs `main`, to be started."""
        return threading.Thread(target=self.run, args=(main,), name="llamabox-step", daemon=True)

    def run(self, main: Callable[[], None]) -> None:
        """Call `main` on this thread, which becomes one of the compute threads."""
        if self._is_default:
            return main()
        ggml = _pool_functions()
        self._place_this_thread()
        pools = [ggml.ggml_threadpool_new(ctypes.byref(each)) for each in self._distinct()]
        with captured_errors():
            for context in self._contexts:
                ggml.llama_attach_threadpool(context.address, pools[0], pools[-1])
        try:
            main()
        finally:
            # Nothing is computed after the step thread: the contexts are only freed.
            for context in self._contexts:
                ggml.llama_detach_threadpool(context.address)
            for pool in pools:
                ggml.ggml_threadpool_free(pool)

    def _distinct(self) -> list[_PoolParams]:
        same = bytes(self._decode) == bytes(self._batch)
        return [self._decode] if same else [self._decode, self._batch]

    def _place_this_thread(self) -> None:
        """An OpenMP build places its threads only where a graph has several; those that it starts
        inherit what this one has."""
        allowed = [cpu for cpu, is_in in enumerate(self._decode.cpumask) if is_in]
        if allowed and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, allowed)
        priority = self._decode.prio
        if priority != 0 and hasattr(os, "SCHED_FIFO"):
            _add_nice(NICE[priority + 1])


def usable_cpus() -> set[int]:
    """Numbers of the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _described(cpu: CpuParams, n_threads: int) -> _PoolParams:
    usable = usable_cpus()
    pool = _PoolParams(n_threads=n_threads, poll=cpu.poll, strict_cpu=cpu.strict)
    pool.prio = cpu.priority if _may_have(cpu.priority) else 0
    for number in cpu.cpus:
        pool.cpumask[number] = number in usable
    if cpu.cpus and not any(pool.cpumask):
        listed = ", ".join(map(str, sorted(usable)))
        raise InvalidRequest(f"cpus: none of them can be used here; those are {listed}")
    return pool


def _may_have(priority: int) -> bool:
    """Whether the system lets threads have it; ggml would complain at every step."""
    if priority <= 0 or not hasattr(os, "sched_setscheduler"):
        return True
    refused = []

    def try_it() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_LOWEST))
        except OSError as error:
            refused.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    if refused:
        logger.warning("the system allows no realtime priority of threads: %s", refused[0].strerror)
    return not refused


def _add_nice(nice: int) -> None:
    thread = threading.get_native_id()
    try:
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + nice)
    except OSError as error:
        logger.warning("the system allows no higher priority: %s", error.strerror)


def _warn(cpu: CpuParams, n_threads: int) -> None:
    if 0 < len(cpu.cpus) < n_threads:
        logger.warning("%d compute threads share %d CPUs", n_threads, len(cpu.cpus))
    if cpu.poll != CpuParams().poll and "OPENMP = 1" in system_info():
        logger.warning("polling has no effect: this llama.cpp's threads are those of OpenMP")


def _pool_functions() -> Any:
    library = ggml_library()
    pointer = ctypes.c_void_p
    library.ggml_threadpool_new.argtypes = [ctypes.POINTER(_PoolParams)]
    library.ggml_threadpool_new.restype = pointer
    library.ggml_threadpool_free.argtypes = [pointer]
    library.ggml_threadpool_free.restype = None
    library.llama_attach_threadpool.argtypes = [pointer, pointer, pointer]
    library.llama_attach_threadpool.restype = None
    library.llama_detach_threadpool.argtypes = [pointer]
    library.llama_detach_threadpool.restype = None
    return library
