"""The engine against the raw loop: what batching, sampling, text and delivery cost."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from pathlib import Path

from llamabox import Engine, EngineParams, Model, Prompt

from .engine_streams import greedy, run_wave, total_tokens
from .event_loop import event_loop
from .pairs import Comparison, compare
from .prompts import token_prompts
from .raw import RawLoop, Tokens
from .report import Result
from .settings import (
    N_THREADS,
    PACKAGED,
    RANDOM_500M,
    STORIES,
    Settings,
    chosen_models,
    counted,
    model_label,
)

N_SEQUENCES = (1, 4, 16)
N_PROMPT = 16
CELLS_SPARE = 128
"""Cells per sequence that the engine's admission may want to keep free."""

ABOUT = """\
N streams of one event loop in an engine, against a loop of `llama_decode` and llama.cpp's greedy
sampler over N sequences (`bench/raw.py`); the same model in memory, prompts of 16 random tokens,
greedy, `-t 1`. Output tokens per second from the first prompt to the last token. The engine chooses
how it keeps its cells and computes attention; the raw loop has llama.cpp's defaults and one unified
pool, or what the engine has chosen. Models above 200 MB generate 64 tokens for each stream, the
others 256."""

MODELS = (PACKAGED, STORIES, RANDOM_500M)
TARGETS = {STORIES: 0.85, RANDOM_500M: 0.97}
"""Ratios to the raw greedy loop, by the file's stem."""
LARGE = 200e6
"""Bytes of a file whose forward takes tens of milliseconds."""
PLAIN, ALIKE = "raw greedy loop", "raw greedy loop, cells as the engine's"


def run(settings: Settings) -> Result:
    """Measure every model at each number of sequences."""
    comparisons: list[Comparison] = []
    paths, notes = chosen_models(settings, MODELS)
    for path in paths:
        n_predict = settings.count(64 if _is_large(path) else 256, 8)
        with Model.load(path) as model, event_loop() as loop:
            for n_sequences in N_SEQUENCES:
                sides = _Sides(model, loop, n_sequences, n_predict)
                try:
                    comparisons += _compare(sides, path, n_sequences, settings)
                finally:
                    sides.close()
    return Result(
        title="Engine and raw loop",
        about=ABOUT,
        comparisons=tuple(comparisons),
        notes=tuple(notes),
    )


def _compare(sides: _Sides, path: Path, n_sequences: int, settings: Settings) -> list[Comparison]:
    return [
        compare(
            f"{model_label(path)}, {counted(n_sequences, 'sequence')}",
            ours=sides.engine_rate,
            peer=partial(sides.raw_rate, raw),
            peer_name=peer_name,
            unit="tok/s",
            runs=settings.runs,
            in_summary=raw is sides.plain and n_sequences == max(N_SEQUENCES),
            target=TARGETS.get(path.stem) if raw is sides.plain else None,
        )
        for peer_name, raw in ((PLAIN, sides.plain), (ALIKE, sides.alike))
        if raw is sides.plain or not _is_large(path)
    ]


def _is_large(path: Path) -> bool:
    return path.stat().st_size > LARGE


class _Sides:
    """An engine and raw loops of the same size on one model.

    :ivar plain: with llama.cpp's defaults.
    :ivar alike: with the layout and the attention that the engine has chosen.
    """

    def __init__(
        self,
        model: Model,
        loop: asyncio.AbstractEventLoop,
        n_sequences: int,
        n_predict: int,
    ) -> None:
        self.n_predict = n_predict
        self._model = model
        self._loop = loop
        self._n_sequences = n_sequences
        self._seeds = itertools.count(1)
        n_ctx = n_sequences * (N_PROMPT + self.n_predict + CELLS_SPARE)
        params = EngineParams(n_ctx=n_ctx, n_parallel=n_sequences, n_threads=N_THREADS)
        self._engine = Engine(model, params)
        layout = self._engine.layout
        attention = {"on": True, "off": False}.get(layout.flash_attention)
        raw = partial(
            RawLoop,
            model,
            n_sequences=n_sequences,
            n_batch=N_PROMPT * n_sequences,
            n_threads=N_THREADS,
        )
        self.plain = raw(n_ctx=n_ctx)
        self.alike = raw(
            n_ctx=n_ctx * n_sequences if layout.partitioned else n_ctx,
            kv_unified=not layout.partitioned,
            flash_attention=attention,
        )

    def engine_rate(self) -> float:
        """Output tokens per second of the engine."""
        prompts = [Prompt(tokens, "") for tokens in self._prompts()]
        wave = run_wave(self._engine, prompts, greedy(self.n_predict))
        completions, seconds = self._loop.run_until_complete(wave)
        return total_tokens(completions) / seconds

    def raw_rate(self, raw: RawLoop) -> float:
        """Output tokens per second of a raw loop."""
        prompts = self._prompts()
        _, seconds = raw.generate(prompts, self.n_predict)
        return len(prompts) * self.n_predict / seconds

    def close(self) -> None:
        self._engine.close()
        self.plain.close()
        self.alike.close()

    def _prompts(self) -> list[Tokens]:
        seed = next(self._seeds)
        return token_prompts(self._n_sequences, N_PROMPT, self._model.n_vocab, seed)
