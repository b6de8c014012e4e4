"""Token rates: how exactly and how smoothly they are kept to, and what waiting costs."""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from llamabox import Engine, EngineParams, GenerationParams
from llamabox.api import AsyncStream

from ..busyness import ThreadClock
from ..engine_streams import Arrivals, greedy
from ..event_loop import event_loop
from ..prompts import text_prompts
from ..report import Figure, Result
from ..settings import N_THREADS, RANDOM_50M, STORIES, Settings, chosen_models, model_label

_T = TypeVar("_T")

RATE = 20.0
SECONDS = 4
N_FREE = 8
WARM_SECONDS = 1.0
"""In which the free streams begin, before the throttled one does."""
N_THROTTLED = 64
N_WORDS = 60
N_PREDICT_FREE = 128
CASES = (("alone", 0, 0), (f"beside {N_FREE} free streams", N_FREE, 0), ("alone, lookup", 0, 2))
"""A name, free streams, and `lookup_ngram_min`."""

ABOUT = f"""\
A stream of `tokens_per_second` {RATE:g}, what `X-Request-Tokens-Per-Second: {RATE:g}` sets: its
rate from the first token to the last over {SECONDS} seconds, and the largest gap between two tokens
as an event loop sees them; alone, beside {N_FREE} clients that generate {N_PREDICT_FREE} tokens for
one prompt of {N_WORDS} words after the other, and with lookup drafting. The worst of the runs. Then
{N_THROTTLED} such streams: CPU time of the step thread beyond its forwards, of the process beyond
the forwards, with an event loop that awaits whole outputs or reads each chunk, and of the forwards.
One compute thread."""


def run(settings: Settings) -> Result:
    """Measure every model, each case a few times."""
    paths, notes = chosen_models(settings, (STORIES, RANDOM_50M))
    figures = [figure for path in paths for figure in _rates(path, settings)]
    figures += [figure for path in paths[:1] for figure in _costs(path, settings)]
    return Result(title="Token rates", about=ABOUT, figures=tuple(figures), notes=tuple(notes))


def _engine(path: Path, n_parallel: int, *, lookup: int = 0, partitioned: bool = False) -> Engine:
    params = EngineParams(
        n_ctx=512 if partitioned else 4096,
        n_parallel=n_parallel,
        n_threads=N_THREADS,
        n_threads_sampling=1,
        kv_layout="partitioned" if partitioned else "unified",
        flash_attention="off",
        lookup_ngram_min=lookup,
    )
    return Engine(path, params)


def _run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    with event_loop() as loop:
        return loop.run_until_complete(coroutine)


def _throttled(n_predict: int) -> GenerationParams:
    return greedy(n_predict).replace(tokens_per_second=RATE)


def _rates(path: Path, settings: Settings) -> list[Figure]:
    """Rate and largest gap in each case."""
    n_predict = settings.count(round(SECONDS * RATE) + 1, 4)
    figures = []
    for case, n_free, lookup in CASES:
        with _engine(path, N_FREE + 1, lookup=lookup) as engine:
            runs = [
                _run(_stream_beside(engine, n_predict, n_free, seed))
                for seed in range(settings.count(min(2, settings.runs), 1))
            ]
        rates = [_rate(arrivals) for arrivals in runs]
        label = f"{model_label(path)}, {case}"
        furthest = max(rates, key=lambda rate: abs(rate - RATE))
        gap = max(_largest_gap(arrivals) for arrivals in runs) * 1e3
        figures += [
            Figure(case=f"{label}: rate", value=furthest, unit="tok/s"),
            Figure(case=f"{label}: off by", value=abs(furthest - RATE), unit="tok/s", at_most=0.5),
            Figure(case=f"{label}: largest gap", value=gap, unit="ms", at_most=100),
        ]
    return figures


async def _stream_beside(engine: Engine, n_predict: int, n_free: int, seed: int) -> Arrivals:
    """What a throttled stream gets and when, while clients generate as fast as they can."""
    prompts = itertools.cycle(text_prompts(512, N_WORDS, seed))
    clients = []
    try:
        for _ in range(n_free):
            clients.append(asyncio.ensure_future(_generate_for_ever(engine, prompts)))
            await asyncio.sleep(WARM_SECONDS / N_FREE)
        params = _throttled(n_predict).replace(logit_bias=_without_parts(engine))
        stream = await engine.astream(next(prompts), params)
        return [(time.perf_counter(), chunk.n_tokens) async for chunk in stream]
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def _without_parts(engine: Engine) -> tuple[tuple[int, float], ...]:
    """Biases against tokens that show nothing alone, such as a byte of a character: their event
    comes with that of the next one, so gaps between events would not be gaps between tokens."""
    decode = engine.model.tokenizer.decode
    shown = ((token, decode([token])) for token in range(engine.model.n_vocab))
    return tuple((token, -math.inf) for token, text in shown if not text or "\ufffd" in text)


async def _generate_for_ever(engine: Engine, prompts: itertools.cycle[str]) -> None:
    while True:
        await engine.agenerate(next(prompts), greedy(N_PREDICT_FREE))


def _rate(arrivals: Arrivals) -> float:
    """Tokens per second after the first ones."""
    n_tokens = sum(n for _, n in arrivals[1:])
    return n_tokens / (arrivals[-1][0] - arrivals[0][0])


def _largest_gap(arrivals: Arrivals) -> float:
    return max(later - earlier for (earlier, _), (later, _) in itertools.pairwise(arrivals))


def _costs(path: Path, settings: Settings) -> list[Figure]:
    """CPU seconds per second that many throttled streams take."""
    seconds = settings.count(SECONDS, 1)
    with _engine(path, N_THROTTLED, partitioned=True) as engine:
        clock = ThreadClock("llamabox-step")
        runs, chunk_runs = (
            [_run(_watch(engine, clock, seconds, read)) for _ in range(settings.count(3, 1))]
            for read in (AsyncStream.completion, _read_chunks)
        )
    label = f"{model_label(path)}, {N_THROTTLED} throttled streams"
    step, process, forwards, steps, rate = (
        statistics.median(column) for column in zip(*runs, strict=True)
    )
    return [
        Figure(case=f"{label}: step thread", value=100 * step, unit="% of a core", at_most=3),
        Figure(case=f"{label}: process", value=100 * process, unit="% of a core", at_most=3),
        Figure(
            case=f"{label}: process, each chunk read",
            value=100 * statistics.median(run[1] for run in chunk_runs),
            unit="% of a core",
        ),
        Figure(case=f"{label}: forwards", value=100 * forwards, unit="% of a core"),
        Figure(case=f"{label}: forwards", value=steps, unit="per second"),
        Figure(case=f"{label}: output", value=rate, unit="tok/s"),
    ]


async def _read_chunks(stream: AsyncStream) -> None:
    async for _ in stream:
        pass


async def _watch(
    engine: Engine,
    clock: ThreadClock,
    seconds: float,
    read: Callable[[AsyncStream], Coroutine[Any, Any, object]],
) -> Sequence[float]:
    """Of all streams while they run, per second: CPU of the step thread and of the process beyond
    the forwards, seconds of forwards, forwards, and tokens."""
    params = _throttled(round((seconds + 2) * RATE))
    prompts = text_prompts(N_THROTTLED, 6, 1)
    streams = [await engine.astream(prompt, params) for prompt in prompts]
    readers = [asyncio.ensure_future(read(stream)) for stream in streams]
    await asyncio.sleep(1)
    before = _reading(engine, clock)
    await asyncio.sleep(seconds)
    spent = [b - a for a, b in zip(before, _reading(engine, clock), strict=True)]
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    elapsed, step, process, forwards, n_steps, n_tokens = spent
    beyond = [max(0.0, cpu - forwards) for cpu in (step, process)]
    return [value / elapsed for value in (*beyond, forwards, n_steps, n_tokens)]


def _reading(engine: Engine, clock: ThreadClock) -> list[float]:
    stats = engine.stats()
    return [
        time.perf_counter(),
        clock.read()[0],
        time.process_time(),
        stats.forward_seconds,
        stats.n_steps,
        stats.n_output_tokens,
    ]
