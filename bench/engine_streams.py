"""Load on an engine inside this process: streams of one event loop, read to their ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

from llamabox import AsyncStream, Completion, Engine, GenerationParams, Prompt

Arrivals = list[tuple[float, int]]
"""Seconds of `time.perf_counter`, and output tokens that came then."""


async def run_wave(
    engine: Engine, prompts: Sequence[Prompt], params: GenerationParams
) -> tuple[list[Completion], float]:
    """All prompts at once; returns the completions and the seconds until the last one ended."""
    started = time.perf_counter()
    streams = [engine.submit(prompt, params) for prompt in prompts]
    completions = await asyncio.gather(*[stream.completion() for stream in streams])
    return completions, time.perf_counter() - started


async def run_timed_wave(
    engine: Engine, prompts: Sequence[Prompt], params: GenerationParams
) -> list[Arrivals]:
    """All prompts at once, read to their ends; returns what each stream got and when."""
    streams = [engine.submit(prompt, params) for prompt in prompts]
    return list(await asyncio.gather(*[_arrivals(stream) for stream in streams]))


async def _arrivals(stream: AsyncStream) -> Arrivals:
    return [(time.perf_counter(), chunk.n_tokens) async for chunk in stream]


def common_rate(streams: Sequence[Arrivals]) -> float:
    """Tokens per second of all streams while each of them generates.

    :raises ValueError: a stream got less than half of its tokens in that time.
    """
    begin = max(arrivals[0][0] for arrivals in streams)
    end = min(arrivals[-1][0] for arrivals in streams)
    totals = [sum(n for _, n in arrivals) for arrivals in streams]
    counts = [sum(n for at, n in arrivals if begin < at <= end) for arrivals in streams]
    if any(2 * count < total for count, total in zip(counts, totals, strict=True)):
        raise ValueError("the streams do not generate at the same time")
    return sum(counts) / (end - begin)


async def run_clients(
    engine: Engine, texts: Sequence[str], params: GenerationParams, n_clients: int
) -> float:
    """`n_clients` tasks that take the next text when they are done with one.

    :returns: output tokens per second, tokenizing included.
    """
    queue = iter(texts)
    started = time.perf_counter()
    counts = await asyncio.gather(*[_run_client(engine, queue, params) for _ in range(n_clients)])
    return sum(counts) / (time.perf_counter() - started)


async def _run_client(engine: Engine, texts: Iterator[str], params: GenerationParams) -> int:
    n_tokens = 0
    for text in texts:
        async for chunk in await engine.astream(text, params):
            n_tokens += chunk.n_tokens
    return n_tokens


def greedy(n_predict: int) -> GenerationParams:
    """Exactly `n_predict` tokens, the most probable ones."""
    return GenerationParams(n_predict=n_predict, temperature=0.0, ignore_eos=True)


def total_tokens(completions: Iterable[Completion]) -> int:
    return sum(completion.n_output for completion in completions)
