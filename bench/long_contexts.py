"""Many long contexts: the engine, which chooses its KV layout, against raw loops of both."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import Sequence
from pathlib import Path

from llamabox import Engine, EngineParams, Model, Prompt

from .engine_streams import common_rate, greedy, run_timed_wave
from .event_loop import event_loop
from .pairs import Comparison, compare
from .prompts import token_prompts
from .raw import RawLoop
from .report import Figure, Result
from .settings import N_THREADS, RANDOM_50M, Settings, chosen_models, model_label

N_SEQUENCES = 16
N_BATCH = 2048
LAYOUTS = {"unified": True, "partitioned": False}
N_TRIES = 5
"""Waves of streams at most, until all of them find their prompts computed."""
TARGET = 0.93

ABOUT = """\
16 sequences of 768 tokens each decode 48 tokens more, greedy, `-t 1`: an engine with
`EngineParams(n_parallel=16)`, against the faster of two loops of `llama_decode` and llama.cpp's
greedy sampler (`bench/raw.py`), one over a unified pool and one over a partitioned one, both with
flash attention. Output tokens per second of all sequences while each of them decodes; the prompts
are computed before that."""


def run(settings: Settings) -> Result:
    """Measure every model."""
    paths, notes = chosen_models(settings, [RANDOM_50M])
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    for path in paths:
        with Model.load(path) as model, event_loop() as loop:
            sides = _Sides(model, loop, settings)
            try:
                comparisons.append(
                    compare(
                        f"{model_label(path)}, {N_SEQUENCES} sequences of {sides.n_prompt} tokens",
                        ours=sides.engine_rate,
                        peer=sides.best_raw_rate,
                        peer_name="better raw loop",
                        unit="tok/s",
                        runs=settings.runs,
                        target=TARGET,
                    )
                )
                figures += sides.figures(path)
                notes.append(f"{model_label(path)}: {sides.engine_layout()}")
            finally:
                sides.close()
    return Result(
        title="Long contexts",
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Sides:
    """An engine and two raw loops with the same prompts, which the loops have computed."""

    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self.n_prompt = settings.count(768, 24)
        self._n_predict = settings.count(48, 32)
        self._loop = loop
        self._rates: dict[str, list[float]] = {name: [] for name in LAYOUTS}
        prompts = token_prompts(N_SEQUENCES, self.n_prompt, model.n_vocab, seed=1)
        self._prompts = [Prompt(tokens, "") for tokens in prompts]
        n_ctx = settings.count(1024, 256) * N_SEQUENCES
        params = EngineParams(n_parallel=N_SEQUENCES, n_ctx=n_ctx, n_threads=N_THREADS)
        self._engine = Engine(model, params)
        self._raw = {
            name: RawLoop(
                model,
                n_sequences=N_SEQUENCES,
                n_ctx=n_ctx,
                n_batch=N_BATCH,
                n_threads=N_THREADS,
                kv_unified=kv_unified,
                flash_attention=True,
            )
            for name, kv_unified in LAYOUTS.items()
        }
        for raw in self._raw.values():
            raw.prefill(prompts)

    def engine_rate(self) -> float:
        """Tokens per second of the engine.

        :raises RuntimeError: it does not keep the prompts, and so never decodes all of them.
        """
        for _ in range(N_TRIES):
            wave = run_timed_wave(self._engine, self._prompts, greedy(self._n_predict))
            streams = self._loop.run_until_complete(wave)
            # What ended first is evicted first, so it had better come back first.
            order = sorted(range(N_SEQUENCES), key=lambda i: streams[i][-1][0])
            self._prompts = [self._prompts[i] for i in order]
            with contextlib.suppress(ValueError):
                return common_rate(streams)
        raise RuntimeError("the engine's streams do not decode at the same time")

    def best_raw_rate(self) -> float:
        """Tokens per second of the faster layout."""
        for name, raw in self._raw.items():
            _, seconds = raw.decode(self._n_predict)
            self._rates[name].append(N_SEQUENCES * (self._n_predict - 1) / seconds)
        return max(rates[-1] for rates in self._rates.values())

    def figures(self, path: Path) -> Sequence[Figure]:
        """What each raw loop has done, the unmeasured run left out."""
        return [
            Figure(
                case=f"{model_label(path)}: raw loop, {name}",
                value=statistics.median(rates[1:]),
                unit="tok/s",
            )
            for name, rates in self._rates.items()
        ]

    def engine_layout(self) -> str:
        """What the engine chose."""
        layout = self._engine.layout
        return f"the engine's layout: {layout.kv_layout}, flash attention {layout.flash_attention}"

    def close(self) -> None:
        self._engine.close()
        for raw in self._raw.values():
            raw.close()
