"""A step's own cost: the scheduler over a libllama that does nothing."""

from __future__ import annotations

import ctypes
import select
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import llama_cpp
import numpy as np

from llamabox import GenerationParams
from llamabox._core.context import Context
from llamabox._core.lib import FUNCTIONS, Library
from llamabox._core.outbox import Outbox
from llamabox._core.request import Request
from llamabox._core.sampler import Sampler
from llamabox._core.scheduler import Scheduler
from llamabox._core.vocab import Vocab

from ..report import Figure
from ..settings import Settings

N_SLOTS = 64
N_CELLS = 1 << 24
PROMPTS_AND_OUTPUTS = ((1_000, 0), (30_000, 0), (16, 1_000), (16, 30_000))
WINDOW_NS = 50_000_000
N_DRAINED = 200
N_TRIES = 5
COMPILER = "cc"


def measure(settings: Settings) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """Figures, and a note if there is no C compiler."""
    compiler = shutil.which(COMPILER)
    if compiler is None:
        return (), (f"steps: skipped, there is no {COMPILER}",)
    with tempfile.TemporaryDirectory() as folder:
        binding = _idle_binding(compiler, Path(folder))
        return tuple(_measure(binding, settings)), ()


def _measure(binding: SimpleNamespace, settings: Settings) -> Iterator[Figure]:
    n_blocks = settings.count(3, 1)
    for n_prompt, n_output in PROMPTS_AND_OUTPUTS[: settings.count(4, 1)]:
        rows = [_row_ns(binding, n_prompt, n_output) for _ in range(n_blocks)]
        case = f"step, per row, {n_prompt:,} prompt tokens, after {n_output:,} output tokens"
        yield Figure(case=case, value=statistics.median(rows), unit="ns")
    events = [_event_ns(binding) for _ in range(n_blocks)]
    case = "an event out of the outbox into a tuple"
    yield Figure(case=case, value=statistics.median(events), unit="ns")


def _row_ns(binding: SimpleNamespace, n_prompt: int, n_output: int) -> float:
    """Nanoseconds of a step for each row, while all slots decode and their outbox is drained.

    :raises RuntimeError: the requests are over before that: something else has the cores.
    """
    for _ in range(N_TRIES):
        with _Run(binding, n_prompt, N_CELLS // N_SLOTS) as run:
            while min(request.n_output for request in run.requests) <= n_output:
                run.drain()
            n_before, started = run.n_sampled(), time.perf_counter_ns()
            while time.perf_counter_ns() < started + WINDOW_NS:
                run.drain()
            n_after, ended = run.n_sampled(), time.perf_counter_ns()
            if run.scheduler.stats()["n_running"] == N_SLOTS:
                return (ended - started) / (n_after - n_before)
    raise RuntimeError("a request ended within the window, the machine is too busy")


def _event_ns(binding: SimpleNamespace) -> float:
    """Nanoseconds that `drain` takes for an event, when it finds many."""
    with _Run(binding, 16, N_DRAINED) as run:
        while sum(run.scheduler.stats()["n_requests"].values()) < N_SLOTS:
            time.sleep(0.001)
        started = time.perf_counter_ns()
        events = run.outbox.drain()
        return (time.perf_counter_ns() - started) / len(events)


class _Run:
    """A scheduler with a thread, and a request in each of its slots."""

    def __init__(self, binding: SimpleNamespace, n_prompt: int, n_predict: int) -> None:
        library = Library(binding)
        address = binding.idle_init()
        vocab = Vocab(library, address)
        self.outbox = Outbox()
        self.scheduler = Scheduler(Context(library, address), vocab, N_SLOTS, N_CELLS)
        params = GenerationParams(temperature=0.0, seed=0)
        self.requests = [
            Request(
                np.full(n_prompt, 7, np.int32),
                n_predict=n_predict,
                n_ctx=N_CELLS,
                sampler=Sampler(llama_cpp, vocab.n_tokens, N_CELLS, params),
                vocab=vocab,
                outbox=self.outbox,
            )
            for _ in range(N_SLOTS)
        ]
        self._poll = select.poll()
        self._poll.register(self.outbox.fd, select.POLLIN)
        self._thread = threading.Thread(target=self.scheduler.run)

    def drain(self) -> None:
        """Wait for a step's events and take them."""
        self._poll.poll(1000)
        self.outbox.drain()

    def n_sampled(self) -> int:
        n: int = self.scheduler.stats()["n_output_tokens"]
        return n

    def __enter__(self) -> _Run:
        for request in self.requests:
            self.scheduler.submit(request)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.scheduler.close()
        self._thread.join()
        self.outbox.drain()


def _idle_binding(compiler: str, folder: Path) -> SimpleNamespace:
    """`idle_llama.c`, compiled, with the names that the core looks for in `llama_cpp`."""
    source = Path(__file__).with_name("idle_llama.c")
    target = folder / "libidle.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", target, source], check=True)
    library = ctypes.CDLL(str(target))
    library.idle_init.restype = ctypes.c_void_p
    names = {f"llama_{name}": getattr(library, f"llama_{name}", None) for name in FUNCTIONS}
    unused = {name: library.idle_init for name, function in names.items() if function is None}
    return SimpleNamespace(
        **names | unused,
        idle_init=library.idle_init,
        __version__=llama_cpp.__version__,
        llama_batch=llama_cpp.llama_batch,
        llama_token_data=llama_cpp.llama_token_data,
        llama_token_data_array=llama_cpp.llama_token_data_array,
    )
