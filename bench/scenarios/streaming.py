"""llamabox against llama-server: short prompts, streamed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..http_stream import Address
from ..online import Load
from ..pairs import Comparison, compare
from ..peers import llama_server
from ..prompts import text_prompts
from ..report import Result
from ..server_pair import FLAGS_TEXT, PEER_NAME, ServerPair, server_pair
from ..settings import RANDOM_50M, STORIES, Settings, chosen_models, counted, model_label

N_CLIENTS = (1, 4, 16)
N_WORDS = 24
N_PREDICT = 128
N_CTX = 4096
TARGETS = {STORIES: (1.4, 1.4, 1.4), RANDOM_50M: (1.05, 1.1, 1.15)}
"""Ratios by the file's stem, one for each number of clients."""
SMALL = 10e6
"""Bytes of a file that needs more requests for a run that lasts long enough."""

ABOUT = f"""\
{FLAGS_TEXT},
both with `-np 16 -c 4096`: N clients that stream `/v1/completions` one after the other; prompts of
24 words that share nothing, temperature 0, 128 output tokens each with `ignore_eos`. Output tokens
per second, prompts included."""


def run(settings: Settings) -> Result:
    """Measure every model at each number of clients, or say why not."""
    title = "Streams and llama-server"
    if llama_server.find_binary() is None:
        return Result(title=title, about=ABOUT, notes=(llama_server.MISSING,))
    paths, notes = chosen_models(settings, (STORIES, RANDOM_50M))
    comparisons: list[Comparison] = []
    for path in paths:
        with server_pair(path, n_parallel=max(N_CLIENTS), n_ctx=N_CTX) as servers:
            comparisons += _compare(servers, path, settings)
            notes.append(servers.layout_note(model_label(path)))
    return Result(title=title, about=ABOUT, comparisons=tuple(comparisons), notes=tuple(notes))


def _compare(servers: ServerPair, path: Path, settings: Settings) -> list[Comparison]:
    """Both servers at each number of clients."""
    targets = TARGETS.get(path.stem, (None,) * len(N_CLIENTS))
    comparisons = []
    for n_clients, target in zip(N_CLIENTS, targets, strict=True):
        n_requests = max(4, n_clients) * (4 if path.stat().st_size < SMALL else 1)
        n_requests = settings.count(n_requests, n_clients)
        rate = partial(_rate, servers, n_clients, n_requests, settings.count(N_PREDICT, 4))
        comparisons.append(
            compare(
                f"{model_label(path)}, {counted(n_clients, 'client')}",
                ours=partial(rate, servers.ours),
                peer=partial(rate, servers.peer),
                peer_name=PEER_NAME,
                unit="tok/s",
                runs=settings.runs,
                in_summary=n_clients == max(N_CLIENTS),
                target=target,
            )
        )
    return comparisons


def _rate(
    servers: ServerPair, n_clients: int, n_requests: int, n_predict: int, address: Address
) -> float:
    """Output tokens per second of one load."""
    prompts = text_prompts(n_requests, N_WORDS, servers.seeds.next(address))
    load = Load(prompts=prompts, max_tokens=n_predict)
    return servers.load(address, load, n_clients).rate
