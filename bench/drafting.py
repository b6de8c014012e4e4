"""Drafts by n-gram lookup: an engine with them against the same engine without."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from llamabox import Engine, EngineParams, GenerationParams, Model, Prompt

from .engine_streams import greedy, run_wave, total_tokens
from .event_loop import event_loop
from .pairs import Comparison, Quantity, compare_all
from .prompts import token_prompts
from .raw import Tokens
from .report import Figure, Result
from .settings import (
    N_THREADS,
    PACKAGED,
    RANDOM_50M,
    RANDOM_500M,
    Settings,
    chosen_models,
    counted,
    model_label,
)

NGRAM_MIN = 2
N_DRAFT_MAX = 47
"""With the token that comes in any case, rows of a forward that make whole tiles."""
N_PARALLEL = 16
N_CTX = 8192
N_PROMPT = 16
N_INTO = 16
"""Tokens of a stretch that repeats itself which a prompt ends with."""
LONGEST_PERIOD = 16
N_STARTS = 6
N_SAID = {RANDOM_50M: 1200, RANDOM_500M: 200}
"""Tokens in which such a stretch is looked for, by the file's stem."""
N_REPEATED = {RANDOM_50M: {1: 256, 4: 128}, RANDOM_500M: {1: 96, 4: 64}}
"""Tokens of each stream at most, by model and number of streams."""
N_FREE = {1: 256, 4: 128, 16: 64}
MOST_RUNS_OF_LARGE = 3
PAIRS_OF_SMALL = 3
"""Of a second or two, for each run: what is asked of the smaller models is near what others' work
on the machine makes of a pair."""
REPEATING_TARGETS = {1: 2.0, 4: 1.3}
FREE_TARGET = 0.97
LEAST_SAVED = 2.0
TEXTS = (
    "The moon is bright tonight. The dog has a red ball. The moon is bright tonight.",
    "A small boat sails slowly across the cold grey lake, and the old man counts the birds.",
    "The children walk to school in the morning, and they come home in the afternoon.",
)

ABOUT = f"""\
An engine with `EngineParams(lookup_ngram_min={NGRAM_MIN}, n_draft_max={N_DRAFT_MAX})` against
the same one without, on one model, `-t 1`, with the layout of cells that the one without chooses by
trial; output tokens per second of all streams, whose prompts are computed before but for the last
token.
Repeating: a greedy output goes on, {N_INTO} tokens after the start of the longest stretch in which
it says the same again and again. Not repeating: prompts of {N_PROMPT} random tokens, temperature 2
without filters. Repeat this text: the packaged model's forwards without drafts for each with them,
on {len(TEXTS)} chats that ask for that, greedy."""


def run(settings: Settings) -> Result:
    """Measure every model; without its own, the repeating text of those that are given."""
    paths, notes = chosen_models(settings, [RANDOM_50M, RANDOM_500M, PACKAGED])
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    for path in paths:
        with Model.load(path) as model, event_loop() as loop:
            with _Sides(model, loop) as sides:
                if model_label(path) == "packaged model":
                    figures.append(_saved_forwards(sides))
                    if len(paths) > 1:
                        continue
                comparisons += _repeating(sides, path, settings)
            if path.stem != RANDOM_500M:
                # Cells that others have left behind cost each side as much as they lie apart.
                with _Sides(model, loop) as sides:
                    comparisons += _free(sides, path, settings)
    return Result(
        title="Drafts by lookup",
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Sides(contextlib.AbstractContextManager["_Sides"]):
    """Two engines on one model, with drafts and without."""

    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        params = EngineParams(n_ctx=N_CTX, n_parallel=N_PARALLEL, n_threads=N_THREADS)
        self.model = model
        self.plain = Engine(model, params)
        self.drafting = Engine(
            model,
            params.replace(
                lookup_ngram_min=NGRAM_MIN,
                n_draft_max=N_DRAFT_MAX,
                kv_layout=self.plain.layout.kv_layout,
                flash_attention=self.plain.layout.flash_attention,
            ),
        )
        self._loop = loop

    def __exit__(self, *_: object) -> None:
        self.plain.close()
        self.drafting.close()

    def rate(self, engine: Engine, prompts: list[Tokens], params: GenerationParams) -> float:
        """Output tokens per second, once the prompts are computed."""
        wave = [Prompt(tokens, "") for tokens in prompts]
        self._loop.run_until_complete(run_wave(engine, wave, params.replace(n_predict=0)))
        completions, seconds = self._loop.run_until_complete(run_wave(engine, wave, params))
        return total_tokens(completions) / seconds


def _compare(
    sides: _Sides,
    quantity: Quantity,
    waves: Iterator[list[Tokens]],
    params: GenerationParams,
    runs: int,
) -> Comparison:
    """Both sides on the same waves."""
    our_waves, peer_waves = itertools.tee(waves)
    (comparison,) = compare_all(
        [quantity],
        ours=lambda: (sides.rate(sides.drafting, next(our_waves), params),),
        peer=lambda: (sides.rate(sides.plain, next(peer_waves), params),),
        peer_name="no drafts",
        runs=runs,
    )
    return comparison


def _rate(path: Path, what: str, n_streams: int, target: float) -> Quantity:
    case = f"{model_label(path)}, {what}, {counted(n_streams, 'stream')}"
    return Quantity(case=case, unit="tok/s", target=target)


def _repeating(sides: _Sides, path: Path, settings: Settings) -> list[Comparison]:
    """Where the output repeats itself."""
    lengths = N_REPEATED.get(path.stem, N_REPEATED[RANDOM_50M])
    is_large = path.stem == RANDOM_500M
    runs = min(settings.runs, MOST_RUNS_OF_LARGE) if is_large else PAIRS_OF_SMALL * settings.runs
    said = _say(sides, settings.count(N_SAID.get(path.stem, N_SAID[RANDOM_50M]), 64))
    comparisons = []
    for n_streams, n_predict in lengths.items():
        # Those that repeat themselves for longest.
        chosen = sorted(said, key=lambda found: found[1])[-n_streams:]
        n_most = min(n for _, n in chosen)
        comparisons.append(
            _compare(
                sides,
                _rate(path, "repeating", n_streams, REPEATING_TARGETS[n_streams]),
                itertools.repeat([prompt for prompt, _ in chosen]),
                greedy(max(1, min(settings.count(n_predict, 8), n_most))),
                runs,
            )
        )
    return comparisons


def _say(sides: _Sides, n_tokens: int) -> list[tuple[Tokens, int]]:
    """Prompts that end where an output has begun to repeat itself, and for how many tokens it goes
    on to."""
    starts = token_prompts(N_STARTS, N_PROMPT, sides.model.n_vocab, 1)
    found = []
    with Engine(sides.model, sides.drafting.params) as engine:
        for start in starts:
            said = engine.generate(Prompt(start, ""), greedy(n_tokens)).tokens
            begin, end = longest_repetition(said)
            begin = min(begin + N_INTO, end)
            found.append((np.append(start, said[:begin]).astype(np.int32), end - begin))
    return found


def longest_repetition(tokens: Sequence[int]) -> tuple[int, int]:
    """The stretch [begin, end) with most tokens that are those of a period before, which has
    `LONGEST_PERIOD` tokens at most."""
    values = np.asarray(tokens)
    best, n_best = (0, 0), 0
    for period in range(1, LONGEST_PERIOD + 1):
        breaks = np.flatnonzero(values[period:] != values[:-period])
        edges = np.concatenate(([-1], breaks, [len(values) - period]))
        i = int(np.argmax(np.diff(edges)))
        begin, end = int(edges[i]) + 1, int(edges[i + 1]) + period
        if end - begin - period > n_best:
            best, n_best = (begin, end), end - begin - period
    return best


def _free(sides: _Sides, path: Path, settings: Settings) -> list[Comparison]:
    """Where it does not."""
    return [
        _compare(
            sides,
            _rate(path, "not repeating", n_streams, FREE_TARGET),
            _prompts(sides.model, n_streams),
            GenerationParams(
                n_predict=settings.count(n_predict, 8),
                temperature=2.0,
                top_k=0,
                top_p=1.0,
                min_p=0.0,
                seed=1,
                ignore_eos=True,
            ),
            PAIRS_OF_SMALL * settings.runs,
        )
        for n_streams, n_predict in N_FREE.items()
    ]


def _prompts(model: Model, n_streams: int) -> Iterator[list[Tokens]]:
    """Prompts for one wave after another."""
    for seed in itertools.count(1):
        yield token_prompts(n_streams, N_PROMPT, model.n_vocab, seed)


def _saved_forwards(sides: _Sides) -> Figure:
    """Forwards of the packaged model on texts that it is asked to repeat."""
    counts = []
    for engine in (sides.plain, sides.drafting):
        before = engine.stats().n_steps
        for text in TEXTS:
            engine.chat(
                [{"role": "user", "content": f"Repeat this text: {text}"}],
                temperature=0.0,
                n_predict=64,
            )
        counts.append(engine.stats().n_steps - before)
    return Figure(
        case="packaged model, repeat this text: forwards saved",
        value=counts[0] / counts[1],
        unit="x",
        at_least=LEAST_SAVED,
    )
