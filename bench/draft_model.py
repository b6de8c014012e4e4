"""The packaged model with and without a smaller one that drafts for it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from llamabox import Completion, Engine, EngineParams, GenerationParams, Model

from .cache import cache_dir
from .event_loop import event_loop
from .pairs import Quantity, compare_all
from .prompts import Seeds
from .report import Figure, Result
from .settings import N_THREADS, Settings, counted

VARIABLE = "LLAMABOX_POCKET_DRAFT"
FILE = "pocket-draft.gguf"
N_STREAMS = (1, 4)
N_CHATS = 24
N_CTX = 4096
N_PREDICT = 200
PLAIN = "no drafts"
KINDS = (
    "Tell me a story about a {a} named {b}.",
    "Tell me a short story about {b} and a {a}.",
    "Repeat this text exactly: The {a} of {b} met a {c} near the old mill.",
    "Count from {n} to {m}.",
    "Who are you, and what can you do for {b}?",
    "List five things that a {a} likes.",
)
NOUNS = "fox dog cat bear bird frog horse mouse rabbit owl".split()
NAMES = "Tom Lily Ben Anna Max Mia Sam Lucy Tim Sue".split()

ABOUT = f"""\
Chats with the packaged model, greedy, with its turn's own end and {N_PREDICT} tokens at most, in an
engine of N streams, `-t 1`, flash attention off: with `{FILE}` as its draft model, and without one.
`scripts/model` makes that file: half of the layers, two thirds of the width. Both sides get the
same new prompts. Output tokens per second from the first prompt to the last token, and target
forwards per output token; the other figures are of all runs with drafts."""


def run(settings: Settings) -> Result:
    """Measure, or say that there is no draft model."""
    title = "Draft model"
    path = draft_path()
    if path is None:
        return Result(
            title=title,
            about=ABOUT,
            notes=(f"skipped, no {FILE} ({VARIABLE}=PATH; scripts/model makes it)",),
        )
    results = []
    with Model.load() as model, Model.load(path) as draft, event_loop() as loop:
        for n_streams in N_STREAMS:
            with _sides(model, draft, loop, n_streams, settings) as sides:
                results.append(_measure(*sides, n_streams=n_streams, settings=settings))
    return Result(
        title=title,
        about=ABOUT,
        comparisons=tuple(c for result in results for c in result.comparisons),
        figures=tuple(figure for result in results for figure in result.figures),
    )


def draft_path() -> Path | None:
    """The draft model, which $LLAMABOX_POCKET_DRAFT names or the cache holds; None without one."""
    path = Path(os.environ.get(VARIABLE) or cache_dir("bench-models") / FILE)
    return path if path.is_file() else None


class _Side:
    """An engine, and what its runs were like.

    :ivar acceptance: of each run, drafted tokens that became output, of all that were verified.
    :ivar drafted: of each run, verified tokens for each output token.
    """

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        n_streams: int,
        n_chats: int,
    ) -> None:
        self.engine = engine
        self.acceptance: list[float] = []
        self.drafted: list[float] = []
        self._loop = loop
        self._n_streams = n_streams
        self._n_chats = n_chats

    def run(self, seeds: Seeds) -> Sequence[float]:
        """Output tokens per second, and target forwards per output token."""
        before = self.engine.stats()
        chats = chat_prompts(self._n_chats, seeds.next(self))
        completions, seconds = self._loop.run_until_complete(self._chat(chats))
        after = self.engine.stats()
        n_output = sum(completion.n_output for completion in completions)
        n_drafted = after.n_drafted - before.n_drafted
        n_accepted = after.n_draft_accepted - before.n_draft_accepted
        self.acceptance.append(n_accepted / max(n_drafted, 1))
        self.drafted.append(n_drafted / n_output)
        return n_output / seconds, (after.n_steps - before.n_steps) / n_output

    async def _chat(self, chats: list[str]) -> tuple[list[Completion], float]:
        prepared = [
            await self.engine.prepare_chat([{"role": "user", "content": chat}]) for chat in chats
        ]
        params = GenerationParams(temperature=0.0, n_predict=N_PREDICT)
        queue = iter(prepared)
        started = asyncio.get_running_loop().time()

        async def client() -> list[Completion]:
            return [await self.engine.submit(prompt, params).completion() for prompt in queue]

        found = await asyncio.gather(*[client() for _ in range(self._n_streams)])
        seconds = asyncio.get_running_loop().time() - started
        return [completion for each in found for completion in each], seconds


@contextlib.contextmanager
def _sides(
    model: Model,
    draft: Model,
    loop: asyncio.AbstractEventLoop,
    n_streams: int,
    settings: Settings,
) -> Iterator[tuple[_Side, _Side]]:
    """With drafts, and without; both in the layout that is chosen without."""
    params = EngineParams(
        n_ctx=N_CTX, n_parallel=n_streams, n_threads=N_THREADS, flash_attention="off"
    )
    n_chats = settings.count(N_CHATS, 2)
    with Engine(model, params) as plain:
        params = dataclasses.replace(params, kv_layout=plain.layout.kv_layout)
        with Engine(model, params, draft_model=draft) as drafted:
            yield (
                _Side(drafted, loop, n_streams, n_chats),
                _Side(plain, loop, n_streams, n_chats),
            )


def _measure(drafted: _Side, plain: _Side, *, n_streams: int, settings: Settings) -> Result:
    seeds = Seeds()
    case = counted(n_streams, "stream")
    comparisons = compare_all(
        [
            Quantity(case=case, unit="tok/s"),
            Quantity(
                case=f"{case}: target forwards per token",
                unit="forwards",
                lower_is_better=True,
                in_summary=False,
            ),
        ],
        ours=partial(drafted.run, seeds),
        peer=partial(plain.run, seeds),
        peer_name=PLAIN,
        runs=settings.runs,
    )
    figures = (
        Figure(
            case=f"{case}: accepted of the drafted tokens",
            value=statistics.median(drafted.acceptance),
            unit="share",
        ),
        Figure(
            case=f"{case}: drafted tokens per output token",
            value=statistics.median(drafted.drafted),
            unit="tokens",
        ),
    )
    return Result(title="", about="", comparisons=comparisons, figures=figures)


def chat_prompts(n: int, seed: int) -> list[str]:
    """`n` different wishes of the kinds that the packaged model knows."""
    rng = random.Random(seed)
    prompts = []
    for i in range(n):
        first = rng.randrange(1, 40)
        prompts.append(
            KINDS[i % len(KINDS)].format(
                a=rng.choice(NOUNS),
                b=rng.choice(NAMES),
                c=rng.choice(NOUNS),
                n=first,
                m=first + rng.randrange(8, 20),
            )
        )
    return prompts
