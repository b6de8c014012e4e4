"""Steps per second while Python code keeps the event loop, and the GIL, to itself.

A few long streams run in one event loop. Windows of 200 ms in which the loop has nothing to do but
deliver, windows in which it is inside one pure-Python computation, and windows in which another
process computes the same are taken in the order A B C C B A, with the engine's own step counter
read at their edges. Contexts grow meanwhile, which that order cancels; every six windows have fresh
streams. The other process shares no GIL with the engine: what it costs is the machine's doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

from llamabox import AsyncStream, Engine, EngineParams, GenerationParams

from .busyness import ThreadClock
from .event_loop import event_loop
from .pairs import Comparison
from .report import Figure, Result
from .settings import N_THREADS, Settings

N_STREAMS = 4
N_CTX = 16384
SETTLE_SECONDS = 0.02
BUSY_LOOP = "busy event loop"
STEP_THREAD = "llamabox-step"

ABOUT = """\
4 streams of the packaged model in one event loop, `-t 1`. Steps per second of the step thread
while the loop is inside pure-Python work for 200 ms without a pause, and while another process does
that work and the loop only delivers ("llamabox" below), against 200 ms in which nobody does it.
Read from the engine's step counter; a run is two windows of each kind, in the order A B C C B A."""

BUSY_CODE = """
print(flush=True)
value = 1
while True:
    for _ in range(1000):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
"""

Window = Callable[[float], Awaitable[None]]


def run(settings: Settings) -> Result:
    """Measure groups of six windows."""
    n_groups = settings.count(max(20, 4 * settings.runs), 2)
    seconds = 0.05 if settings.quick else 0.2
    params = EngineParams(n_ctx=N_CTX, n_parallel=N_STREAMS, n_threads=N_THREADS)
    with Engine(None, params) as engine, event_loop() as loop:
        clock = ThreadClock(STEP_THREAD)
        groups = [loop.run_until_complete(_group(engine, clock, seconds)) for _ in range(n_groups)]
        stats = engine.stats()
    comparisons = tuple(
        Comparison(
            case=case,
            unit="steps/s",
            in_summary=case == BUSY_LOOP,
            peer_name="idle event loop",
            ours=tuple(_mean_rate(group[i]) for group in groups),
            peers=tuple(_mean_rate(group[0]) for group in groups),
        )
        for i, case in ((1, BUSY_LOOP), (2, "idle event loop, another process busy"))
    )
    wakeups = stats.n_wakeups / stats.n_steps
    figures = [Figure(case="wake-ups of the event loop per step", value=wakeups, unit="")]
    if clock.is_known:
        figures += _thread_figures([window for group in groups for window in group[1]])
    return Result(
        title="Busy event loop", about=ABOUT, comparisons=comparisons, figures=tuple(figures)
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Measured:
    """One window: steps per second, and the step thread's time as shares of the window."""

    rate: float
    running: float
    waiting: float

    @property
    def blocked(self) -> float:
        return max(1 - self.running - self.waiting, 0.0)


def _mean_rate(windows: list[_Measured]) -> float:
    return statistics.mean(window.rate for window in windows)


def _thread_figures(windows: list[_Measured]) -> list[Figure]:
    """Where the step thread was in the busy windows: blocked would be the GIL's doing."""
    shares = {
        "running": [window.running for window in windows],
        "waiting for a core": [window.waiting for window in windows],
        "blocked": [window.blocked for window in windows],
    }
    return [
        Figure(
            case=f"step thread in busy windows: {name}",
            value=100 * statistics.median(values),
            unit="%",
        )
        for name, values in shares.items()
    ]


async def _group(engine: Engine, clock: ThreadClock, seconds: float) -> list[list[_Measured]]:
    """Idle and busy windows, and some beside a busy process, two of each, on the same streams."""
    endless = GenerationParams(temperature=0.0, ignore_eos=True)
    streams = [await engine.astream("Once upon a time", endless) for _ in range(N_STREAMS)]
    readers = [asyncio.ensure_future(_read(stream)) for stream in streams]
    measured: list[list[_Measured]] = [[], [], []]
    windows: tuple[Window, ...] = (asyncio.sleep, _be_busy, asyncio.sleep)
    for i in (0, 1, 2, 2, 1, 0):
        with _busy_process() if i == 2 else contextlib.nullcontext():
            await asyncio.sleep(SETTLE_SECONDS)
            measured[i].append(await _measure(engine, clock, windows[i], seconds))
    if any(reader.done() for reader in readers):
        raise RuntimeError("a stream ended inside a window; the pool is too small")
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*readers)
    return measured


@contextlib.contextmanager
def _busy_process() -> Iterator[None]:
    """Another process that computes what `_be_busy` does, from the beginning to the end."""
    process = subprocess.Popen([sys.executable, "-c", BUSY_CODE], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        yield
        process.kill()


async def _measure(engine: Engine, clock: ThreadClock, window: Window, seconds: float) -> _Measured:
    """What happens while `window` lasts."""
    started, n_steps, (running, waiting) = time.perf_counter(), engine.stats().n_steps, clock.read()
    await window(seconds)
    n_steps = engine.stats().n_steps - n_steps
    running_after, waiting_after = clock.read()
    elapsed = time.perf_counter() - started
    return _Measured(
        n_steps / elapsed, (running_after - running) / elapsed, (waiting_after - waiting) / elapsed
    )


async def _be_busy(seconds: float) -> None:
    """Compute in pure Python, holding the GIL but for the interpreter's switch interval."""
    deadline = time.perf_counter() + seconds
    value = 1
    while time.perf_counter() < deadline:
        for _ in range(1000):
            value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF


async def _read(stream: AsyncStream) -> None:
    async for _ in stream:
        pass
