"""Prefixes that come back from RAM and from disk, against computing them again."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from llamabox import AsyncStream, Completion, Engine, EngineParams, Model, Prompt

from ..engine_streams import greedy
from ..event_loop import event_loop
from ..pairs import Comparison, compare
from ..report import Figure, Result
from ..settings import N_THREADS, RANDOM_50M, Settings, chosen_models, model_label

LAYOUTS = ("unified", "partitioned")
N_PARALLEL = 2
N_SHORT = 64
N_EVICTING = N_PARALLEL + 2
"""Short prompts after which no sequence holds a long one any more."""
QUIET = 0.05
"""Seconds without anything saved after which all is."""
N_BESIDE = 3
"""Times that a stream is watched while prompts are saved and loaded beside it."""
MOMENT = 5e-4
"""Seconds in which a step's events are read, and which no step is shorter than."""
TTFT_TARGET = 5.0
GAP_TARGET = 2.0

ABOUT = f"""\
An engine with `EngineParams(n_parallel={N_PARALLEL}, n_ctx=6000, flash_attention="off",
cache_ram=256, cache_disk=DIR)`, `-t 1`, in each layout. A prompt of 4,000 tokens is computed, then
evicted by short ones, and sent again: seconds to the first token, against a prompt that nobody has
seen. From disk: the engine is closed, and one that is new has the same directory. Tokens that were
not computed, and whether the 16 tokens that follow are those that follow while the prompt is still
in cells. Beside a stream that decodes: the longest time between two of its tokens over the median,
while such a prompt is saved, while it is asked for again and still in cells, and while it comes
back; the median of {N_BESIDE} times. The second is what its one row over 4,000 cells takes."""


def run(settings: Settings) -> Result:
    """Measure every model in both layouts."""
    paths, notes = chosen_models(settings, [RANDOM_50M])
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    for path, layout in itertools.product(paths, LAYOUTS):
        with (
            Model.load(path) as model,
            event_loop() as loop,
            _Tier(model, loop, layout, settings) as tier,
        ):
            label = f"{model_label(path)}, {layout}"
            comparisons += tier.compare(label, settings.runs)
            figures += tier.figures(label)
    return Result(
        title="Prefixes in RAM and on disk",
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Tier:
    """An engine whose prompts are evicted, and what it took to have them again."""

    def __init__(
        self, model: Model, loop: asyncio.AbstractEventLoop, layout: str, settings: Settings
    ) -> None:
        self._model = model
        self._loop = loop
        self._layout = layout
        self._n_prompt = settings.count(4000, 300)
        self._n_stream = settings.count(1500, 600)
        self._folder = tempfile.TemporaryDirectory()
        self._seeds = itertools.count(1)
        self._engine = self._open()
        self._prompt = self._new_prompt(self._n_prompt)
        self._n_cached: list[int] = []
        self._is_same: list[bool] = []

    def __enter__(self) -> _Tier:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        self._folder.cleanup()

    def compare(self, label: str, runs: int) -> Iterator[Comparison]:
        """Seconds to the first token, from RAM and from disk."""
        self._ask(self._prompt)
        self._expected = self._ask(self._prompt).tokens
        for name, measure in (("RAM", self.from_ram), ("disk", self.from_disk)):
            yield compare(
                f"{label}: TTFT of {self._n_prompt} tokens from {name}",
                ours=measure,
                peer=self.computed,
                peer_name="computing it",
                unit="s",
                runs=runs,
                lower_is_better=True,
                target=TTFT_TARGET,
            )

    def figures(self, label: str) -> Iterator[Figure]:
        """What all runs of `compare` gave, and a stream beside."""
        yield Figure(
            case=f"{label}: tokens not computed, the fewest",
            value=min(self._n_cached),
            unit=f"of {self._n_prompt - 1}",
            at_least=self._n_prompt - 1,
        )
        yield Figure(
            case=f"{label}: the same output",
            value=sum(self._is_same),
            unit=f"of {len(self._is_same)}",
            at_least=len(self._is_same),
        )
        gaps = [self._loop.run_until_complete(self._beside()) for _ in range(N_BESIDE)]
        for i, (name, target) in enumerate(
            (("saved", GAP_TARGET), ("still in cells", None), ("loaded", GAP_TARGET))
        ):
            yield Figure(
                case=f"{label}: longest gap of a stream while a prompt is {name}",
                value=statistics.median(three[i] for three in gaps),
                unit="medians",
                at_most=target,
            )

    def computed(self) -> float:
        """A prompt that is new."""
        return self._ask(self._new_prompt(self._n_prompt)).timings.first_token

    def from_ram(self) -> float:
        """The prompt after it was evicted."""
        self._evict()
        return self._again()

    def from_disk(self) -> float:
        """The prompt after a restart."""
        self._engine.close()
        self._engine = self._open()
        n_blocks = len(list(Path(self._folder.name).glob("*.prefix")))
        while self._engine.stats().n_tier_disk_blocks < n_blocks:
            time.sleep(0.01)
        return self._again()

    def _again(self) -> float:
        completion = self._ask(self._prompt)
        self._n_cached.append(completion.n_cached)
        self._is_same.append(completion.tokens == self._expected)
        return completion.timings.first_token

    def _open(self) -> Engine:
        params = EngineParams(
            n_ctx=self._n_prompt + 2000,
            n_parallel=N_PARALLEL,
            n_threads=N_THREADS,
            kv_layout=self._layout,
            flash_attention="off",
            cache_ram=256,
            cache_disk=self._folder.name,
        )
        return Engine(self._model, params)

    def _new_prompt(self, n: int) -> Prompt:
        rng = np.random.default_rng(next(self._seeds))
        return Prompt(rng.integers(0, self._model.n_vocab // 2, n, dtype=np.int32), "")

    def _ask(self, prompt: Prompt) -> Completion:
        return self._engine.generate(prompt, greedy(16))

    def _evict(self) -> None:
        for _ in range(N_EVICTING):
            self._engine.generate(self._new_prompt(N_SHORT), greedy(1))

    async def _beside(self) -> tuple[float, float, float]:
        """A stream's longest gap over its median one while a prompt is saved, found in cells, and
        loaded."""
        prompt = self._new_prompt(self._n_prompt)
        arrivals: list[float] = []
        beside = self._engine.submit(self._new_prompt(N_SHORT), greedy(self._n_stream))
        watching = asyncio.create_task(_watch(beside, arrivals))
        await self._first_token(prompt)
        await asyncio.sleep(MOMENT)
        saving = arrivals[-1]
        await self._all_saved()
        saved = time.perf_counter()
        asking = arrivals[-1]
        await self._first_token(prompt)
        answered = time.perf_counter()
        await self._all_saved()
        for _ in range(N_EVICTING):
            await self._first_token(self._new_prompt(N_SHORT))
        loading = arrivals[-1]
        await self._first_token(prompt)
        loaded = time.perf_counter()
        await asyncio.sleep(QUIET)
        beside.cancel()
        await watching
        return (
            longest_gap(arrivals, saving, saved),
            longest_gap(arrivals, asking, answered),
            longest_gap(arrivals, loading, loaded),
        )

    async def _first_token(self, prompt: Prompt) -> None:
        await self._engine.submit(prompt, greedy(1)).completion()

    async def _all_saved(self) -> None:
        """Until nothing has been saved for a while."""
        n_saved, t_changed = -1, time.perf_counter()
        while time.perf_counter() < t_changed + QUIET:
            await asyncio.sleep(0.002)
            n = self._engine.stats().n_tier_saved_tokens
            if n != n_saved:
                n_saved, t_changed = n, time.perf_counter()


async def _watch(stream: AsyncStream, arrivals: list[float]) -> None:
    async for chunk in stream:
        arrivals += [time.perf_counter()] if chunk.n_tokens else []


def longest_gap(arrivals: Sequence[float], begin: float, end: float) -> float:
    """The longest time between two arrivals from the one at `begin` until after `end`, in medians
    of these times.

    :raises ValueError: the stream has ended before, or not begun.
    """
    gaps = [b - a for a, b in itertools.pairwise(arrivals) if begin <= a < end]
    if not gaps or arrivals[-1] < end:
        raise ValueError("nothing decodes beside it")
    return max(gaps) / statistics.median(gaps)
