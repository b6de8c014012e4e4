"""llamabox against llama-server: a burst of requests that begin alike."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..http_stream import Address
from ..online import Load
from ..pairs import Comparison, Quantity, compare_all
from ..peers import llama_server
from ..prompts import shared_prefix_prompts
from ..replies import percentile
from ..report import Figure, Result
from ..server_pair import FLAGS_TEXT, PEER_NAME, ServerPair, read_metric, server_pair
from ..settings import RANDOM_50M, Settings, chosen_models, model_label

N_CLIENTS = 16
N_WORDS = 8
N_CTX = 16_384
TTFT_TARGET = 5.0
WALL_TARGET = 2.0
COMPUTED = ("llamabox:tokens_prefill_total", "llamacpp:prompt_tokens_total")

ABOUT = f"""\
{FLAGS_TEXT},
both with `-np 16 -c 16384`: 16 clients send one streamed completion each at the same moment. The
prompts begin with the same 800 words, which no earlier run had, and end with 8 words of their own;
16 output tokens each, greedy. Seconds to the first token, and until all are done; prompt tokens
computed for a burst, as `/metrics` counts them."""


def run(settings: Settings) -> Result:
    """Measure every model, or say why not."""
    title = "Shared prefix and llama-server"
    if llama_server.find_binary() is None:
        return Result(title=title, about=ABOUT, notes=(llama_server.MISSING,))
    paths, notes = chosen_models(settings, [RANDOM_50M])
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    for path in paths:
        with server_pair(path, n_parallel=N_CLIENTS, n_ctx=N_CTX) as servers:
            bursts = _Bursts(servers, settings)
            comparisons += bursts.compare(path)
            figures += bursts.figures(path)
            notes.append(servers.layout_note(model_label(path)))
    return Result(
        title=title,
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Bursts:
    """Bursts at both servers, and what each of them computed for it."""

    def __init__(self, servers: ServerPair, settings: Settings) -> None:
        self._servers = servers
        self._settings = settings
        self._n_computed: dict[Address, list[float]] = {servers.ours: [], servers.peer: []}

    def compare(self, path: Path) -> tuple[Comparison, ...]:
        """Measure both."""
        quantities = [
            Quantity(
                case=f"{model_label(path)}, {N_CLIENTS} clients: {name}",
                unit="s",
                lower_is_better=True,
                target=target,
            )
            for name, target in (("TTFT p99", TTFT_TARGET), ("all done", WALL_TARGET))
        ]
        return compare_all(
            quantities,
            ours=partial(self._burst, self._servers.ours),
            peer=partial(self._burst, self._servers.peer),
            peer_name=PEER_NAME,
            runs=self._settings.runs,
        )

    def figures(self, path: Path) -> list[Figure]:
        """Medians over the runs of the last `compare`: prompt tokens computed for a burst."""
        names = {self._servers.ours: "llamabox", self._servers.peer: PEER_NAME}
        return [
            Figure(
                case=f"{model_label(path)}, {names[address]}: prompt tokens computed",
                value=statistics.median(counts[1:]),
                unit="tokens",
            )
            for address, counts in self._n_computed.items()
        ]

    def _burst(self, address: Address) -> Sequence[float]:
        """TTFT p99 and the seconds until all are done."""
        n_prefix = self._settings.count(800, 40)
        seed = self._servers.seeds.next(address)
        prompts = shared_prefix_prompts(N_CLIENTS, n_prefix, N_WORDS, seed)
        n_predict = self._settings.count(16, 4)
        load = Load(prompts=prompts, max_tokens=n_predict)
        n_before = read_metric(address, *COMPUTED)
        result = self._servers.load(address, load, N_CLIENTS)
        self._n_computed[address].append(read_metric(address, *COMPUTED) - n_before)
        return percentile(result.first_token, 99), result.seconds
