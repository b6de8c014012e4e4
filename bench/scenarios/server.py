"""What HTTP costs: the server's streams against streams of an engine inside this process."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from functools import partial
from pathlib import Path

from llamabox import Engine, EngineParams

from ..engine_streams import greedy, run_clients
from ..event_loop import event_loop
from ..http_stream import Address
from ..online import Load, closed_loop
from ..pairs import Comparison, compare
from ..processes import llamabox_server
from ..prompts import text_prompts
from ..replies import LoadResult, percentile
from ..report import Figure, Result
from ..settings import N_THREADS, PACKAGED, Settings, chosen_models, counted, model_label

N_CLIENTS = (1, 4, 16)
N_WORDS = 24
N_CTX = 8192

ABOUT = """\
`python -m llamabox -t 1 -np 16 -c 8192` and N clients that stream `/v1/completions` one after the
other, against an engine of the same size in the client's process and N tasks that do the same
without HTTP; prompts of 24 words that share nothing, greedy. Output tokens per second, prompts
included. The load generator runs on the same cores as the server."""


def run(settings: Settings) -> Result:
    """Measure every model at each number of clients."""
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    paths, notes = chosen_models(settings, [PACKAGED])
    for path in paths:
        n_parallel = max(N_CLIENTS)
        params = EngineParams(n_ctx=N_CTX, n_parallel=n_parallel, n_threads=N_THREADS)
        with (
            Engine(path, params) as engine,
            llamabox_server(
                path, n_ctx=N_CTX, n_parallel=n_parallel, n_threads=N_THREADS
            ) as address,
            event_loop() as loop,
        ):
            sides = _Sides(engine, address, loop, settings)
            for n_clients in N_CLIENTS:
                comparisons.append(sides.compare(path, n_clients))
                figures += sides.latencies(path, n_clients)
    return Result(
        title="Server and engine",
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Sides:
    """A running server and an engine, to be asked the same."""

    def __init__(
        self,
        engine: Engine,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
    ) -> None:
        self._engine = engine
        self._address = address
        self._loop = loop
        self._settings = settings
        self._n_predict = settings.count(192, 4)
        self._seeds = itertools.count()
        self._results: list[LoadResult] = []

    def compare(self, path: Path, n_clients: int) -> Comparison:
        """Measure both at a number of clients."""
        self._results.clear()
        return compare(
            f"{model_label(path)}, {counted(n_clients, 'client')}",
            ours=partial(self._server_rate, n_clients),
            peer=partial(self._engine_rate, n_clients),
            peer_name="engine without HTTP",
            unit="tok/s",
            runs=self._settings.runs,
            in_summary=n_clients == max(N_CLIENTS),
        )

    def latencies(self, path: Path, n_clients: int) -> list[Figure]:
        """Medians over the runs of the last `compare`: percentiles, and the generator's share."""
        results = self._results[1:]
        measured = {
            f"{name} p{q}": ("ms", [1e3 * percentile(r.samples(name), q) for r in results])
            for name in ("TTFT", "gap")
            for q in (50, 99)
        }
        shares = [100 * result.client_share for result in results]
        measured["load generator"] = ("% of a core", shares)
        label = f"{model_label(path)}, {counted(n_clients, 'client')}"
        return [
            Figure(case=f"{label}: {name}", value=statistics.median(values), unit=unit)
            for name, (unit, values) in measured.items()
        ]

    def _server_rate(self, n_clients: int) -> float:
        load = Load(prompts=self._prompts(n_clients), max_tokens=self._n_predict)
        result = self._loop.run_until_complete(closed_loop(self._address, load, n_clients))
        if result.n_failed:
            raise RuntimeError(f"{result.n_failed} requests failed")
        self._results.append(result)
        return result.rate

    def _engine_rate(self, n_clients: int) -> float:
        params = greedy(self._n_predict)
        return self._loop.run_until_complete(
            run_clients(self._engine, self._prompts(n_clients), params, n_clients)
        )

    def _prompts(self, n_clients: int) -> list[str]:
        n = self._settings.count(max(8, 2 * n_clients), n_clients)
        return text_prompts(n, N_WORDS, next(self._seeds))
