"""llamabox against llama-server: a long prompt arrives while others read their streams."""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..http_stream import Address
from ..latency_plot import Trace, draw_traces
from ..online import Load, one_request
from ..pairs import Comparison, Quantity, compare_all
from ..peers import llama_server
from ..prompts import text_prompts
from ..replies import Reply, percentile, read_reply
from ..report import Figure, Plot, Result
from ..server_pair import FLAGS_TEXT, PEER_NAME, ServerPair, server_pair
from ..settings import RANDOM_50M, Settings, chosen_models, model_label

N_STREAMS = 4
N_WORDS = 24
N_PREDICT = 1_000
"""Of the streams, whose clients hang up when they have seen enough."""
N_PREDICT_LONG = 8
SECONDS_APART = 0.5
"""From the streams' start to the long prompt, from its end to their end, and to the next run."""
MAX_SECONDS = 120.0
N_CTX = 16_384
TTFT_TARGET = 1 / 1.5
STALL_TARGET = 5.0
"""The worst gap in median gaps, at most."""
PLOT_NAME = "mixed_load.png"
CAPTION = "Inter-token latency while a long prompt is computed"

ABOUT = f"""\
{FLAGS_TEXT},
both with `-np 16 -c 16384`: 4 streams decode, a prompt of 6,000 words arrives half a second after
they were sent, and they go on until half a second after its end; greedy. The median gap between two
tokens of the 4 streams, over all of their time; their worst gap among those that overlap the time
from the long prompt's arrival to its first token; and that time."""


def run(settings: Settings) -> Result:
    """Measure every model, or say why not."""
    title = "Mixed load and llama-server"
    if llama_server.find_binary() is None:
        return Result(title=title, about=ABOUT, notes=(llama_server.MISSING,))
    paths, notes = chosen_models(settings, [RANDOM_50M])
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    plots: list[Plot] = []
    for path in paths:
        with server_pair(path, n_parallel=16, n_ctx=N_CTX) as servers:
            sides = _Sides(servers, settings)
            comparisons += sides.compare(path)
            figures += sides.figures(path)
            notes.append(servers.layout_note(model_label(path)))
            plots = plots or [sides.plot()]
    return Result(
        title=title,
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
        plots=tuple(plots),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MixedRun:
    """The replies of one run.

    :raises ValueError: a stream was over before the long prompt's first token.
    """

    streams: tuple[Reply, ...]
    long: Reply

    def __post_init__(self) -> None:
        ends = [reply.times[-1] if reply.times else 0 for reply in self.streams]
        if min(ends) < self.long.first_token_at:
            raise ValueError("a stream was over before the long prompt's first token")

    @property
    def median_gap(self) -> float:
        """Seconds between two tokens of the streams, over all of their time."""
        return statistics.median(gap for reply in self.streams for gap in reply.gaps)

    @property
    def calm_gap(self) -> float:
        """The median gap, in seconds, of those that end before the long prompt arrives.

        NaN if none does.
        """
        ends = [(at, gap) for reply in self.streams for at, gap in _ends(reply)]
        return percentile([gap for at, gap in ends if at <= self.long.sent_at], 50)

    @property
    def worst_gap(self) -> float:
        """The longest of the streams' gaps that overlap the wait for the long prompt, in seconds.

        A stream that had no token when the prompt arrived has a gap since its request.
        """
        begin, end = self.long.sent_at, self.long.first_token_at
        gaps = (
            after - before
            for reply in self.streams
            for before, after in zip((reply.sent_at, *reply.times), reply.times, strict=False)
            if after > begin and before < end
        )
        return max(gaps) / 1e9

    @property
    def long_first_token(self) -> float:
        """Seconds from the long prompt's arrival to its first token."""
        return self.long.first_token

    def trace(self, name: str) -> Trace:
        """The gaps over time, counted from the long prompt's arrival."""
        arrival = self.long.sent_at
        points = [((at - arrival) / 1e9, gap) for reply in self.streams for at, gap in _ends(reply)]
        return Trace(name=name, points=tuple(points), first_token=self.long_first_token)


def _ends(reply: Reply) -> Iterator[tuple[int, float]]:
    """Each gap after the time at which it ended, in ns of `time.perf_counter_ns`."""
    return zip(reply.times[1:], reply.gaps, strict=True)


class _Sides:
    """Both servers and the runs that each has had."""

    def __init__(self, servers: ServerPair, settings: Settings) -> None:
        self._servers = servers
        self._settings = settings
        self._runs: dict[Address, list[MixedRun]] = {servers.ours: [], servers.peer: []}
        self._names = {servers.ours: "llamabox", servers.peer: PEER_NAME}

    def compare(self, path: Path) -> tuple[Comparison, ...]:
        """Measure both."""
        label = model_label(path)
        quantities = [
            Quantity(case=f"{label}, 4 streams: median gap", unit="ms", in_summary=False),
            Quantity(case=f"{label}, 4 streams: worst gap", unit="ms"),
            Quantity(case=f"{label}, long prompt: TTFT", unit="ms", target=TTFT_TARGET),
        ]
        return compare_all(
            [dataclasses.replace(quantity, lower_is_better=True) for quantity in quantities],
            ours=partial(self._measure, self._servers.ours),
            peer=partial(self._measure, self._servers.peer),
            peer_name=PEER_NAME,
            runs=self._settings.runs,
        )

    def figures(self, path: Path) -> list[Figure]:
        """Medians over the runs of the last `compare`."""
        figures = []
        for address, runs in self._runs.items():
            case = f"{model_label(path)}, {self._names[address]}"
            stalls = [run.worst_gap / run.median_gap for run in runs[1:]]
            calm = [1e3 * run.calm_gap for run in runs[1:]]
            figures += [
                Figure(
                    case=f"{case}: worst gap / median gap",
                    value=statistics.median(stalls),
                    unit="",
                    at_most=STALL_TARGET if address == self._servers.ours else None,
                ),
                Figure(
                    case=f"{case}: median gap before the long prompt",
                    value=statistics.median(calm),
                    unit="ms",
                ),
            ]
        return figures

    def plot(self) -> Plot:
        """The gaps of each server's run that is the median by its worst gap."""
        traces = []
        for address, runs in self._runs.items():
            ordered = sorted(runs[1:], key=lambda run: run.worst_gap)
            traces.append(ordered[len(ordered) // 2].trace(self._names[address]))
        return Plot(name=PLOT_NAME, caption=CAPTION, draw=partial(draw_traces, traces))

    def _measure(self, address: Address) -> Sequence[float]:
        """Median gap, worst gap and the long prompt's TTFT, in milliseconds."""
        run = self._servers.run(asyncio.wait_for(self._load(address), MAX_SECONDS))
        self._runs[address].append(run)
        return [1e3 * value for value in (run.median_gap, run.worst_gap, run.long_first_token)]

    async def _load(self, address: Address) -> MixedRun:
        """The streams, and the long prompt a while later.

        :raises RuntimeError: a request failed.
        """
        count = self._settings.count
        seed = self._servers.seeds.next(address)
        short = text_prompts(N_STREAMS, N_WORDS, seed)
        long = text_prompts(1, count(6_000, 60), seed)
        streams = Load(prompts=short, max_tokens=N_PREDICT)
        (long_body,) = Load(prompts=long, max_tokens=N_PREDICT_LONG).bodies()
        over = asyncio.Event()
        waiting = asyncio.gather(
            *[one_request(address, body, until=over) for body in streams.bodies()]
        )
        delay = 0.005 if self._settings.quick else SECONDS_APART
        try:
            last = read_reply(await one_request(address, long_body, delay))
            await asyncio.sleep(delay)
        finally:
            over.set()
            replies = [read_reply(reply) for reply in await waiting]
        await asyncio.sleep(delay)
        if not last.is_whole:
            raise RuntimeError("the long prompt's request failed")
        return MixedRun(streams=tuple(replies), long=last)
