"""llamabox against llama-cpp-python's own server, both over HTTP on the same file."""

from __future__ import annotations

import asyncio
from functools import partial

from ..event_loop import event_loop
from ..http_stream import Address
from ..online import Load, closed_loop
from ..pairs import Comparison, compare
from ..peers import llama_cpp_python
from ..processes import llamabox_server
from ..prompts import Seeds, text_prompts
from ..report import Result
from ..settings import (
    N_THREADS,
    PACKAGED,
    RANDOM_50M,
    Settings,
    chosen_models,
    counted,
    model_label,
)

N_STREAMS = (1, 4)
N_REQUESTS = 8
TARGETS = {RANDOM_50M: (1.1, 2.5)}
"""Ratios by the file's stem, one for each number of streams."""
N_WORDS = 24
N_CTX = 2048
PEER_NAME = "llama_cpp.server"

ABOUT = f"""\
`python -m llamabox -t 1 -np 4 -c 2048` against `python -m llama_cpp.server` with
`{" ".join(llama_cpp_python.FLAGS)}`: N clients that
stream `/v1/completions` one after the other, the same prompts on both sides, temperature 0, an
output of 128 tokens at most. Output tokens per second, prompts included; llama_cpp.server computes
one request at a time. Only one of the servers has work at any time."""


def run(settings: Settings) -> Result:
    """Measure every model at each number of streams, or say why not."""
    title = "Server and llama_cpp.server"
    missing = llama_cpp_python.missing_packages()
    if missing:
        note = f"skipped: {', '.join(missing)} not installed (pip install 'llamabox[bench]')"
        return Result(title=title, about=ABOUT, notes=(note,))
    paths, notes = chosen_models(settings, (PACKAGED, RANDOM_50M))
    comparisons: list[Comparison] = []
    for path in paths:
        targets = TARGETS.get(path.stem, (None,) * len(N_STREAMS))
        with (
            llamabox_server(path, n_parallel=4, n_ctx=N_CTX, n_threads=N_THREADS) as ours,
            llama_cpp_python.server(path, n_ctx=N_CTX, n_threads=N_THREADS) as peer,
            event_loop() as loop,
        ):
            clients = _Clients(loop, settings)
            comparisons += [
                compare(
                    f"{model_label(path)}, {counted(n_streams, 'stream')}",
                    ours=partial(clients.rate, ours, n_streams),
                    peer=partial(clients.rate, peer, n_streams),
                    peer_name=PEER_NAME,
                    unit="tok/s",
                    runs=settings.runs,
                    in_summary=n_streams == max(N_STREAMS),
                    target=target,
                )
                for n_streams, target in zip(N_STREAMS, targets, strict=True)
            ]
    return Result(title=title, about=ABOUT, comparisons=tuple(comparisons), notes=tuple(notes))


class _Clients:
    """Clients of both servers, which give each the same prompts in the same order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self._loop = loop
        self._settings = settings
        self._seeds = Seeds()

    def rate(self, address: Address, n_streams: int) -> float:
        """Output tokens per second of one load."""
        seed = self._seeds.next(address)
        prompts = text_prompts(self._settings.count(N_REQUESTS, n_streams), N_WORDS, seed)
        n_predict = self._settings.count(128, 4)
        load = Load(prompts=prompts, max_tokens=n_predict, ignore_eos=False)
        result = self._loop.run_until_complete(closed_loop(address, load, n_streams))
        if result.n_failed:
            raise RuntimeError(f"{result.n_failed} requests failed")
        return result.rate
