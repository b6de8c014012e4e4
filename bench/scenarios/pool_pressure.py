"""llamabox against llama-server: requests that together need more cells than there are."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from ..event_loop import event_loop
from ..http_stream import Address
from ..online import Load, one_request
from ..peers import llama_server
from ..processes import llamabox_server
from ..prompts import text_prompts
from ..replies import Reply, read_reply
from ..report import Figure, Result
from ..server_pair import PEER_NAME
from ..settings import N_THREADS, STORIES, Settings, chosen_models, model_label

N_REQUESTS = 24
N_PARALLEL = 12
N_WORDS = 12
N_CELLS = 2_000
N_CELLS_ENOUGH = 16_384
N_PREDICT = 400
OUR_FLAGS = ("-kvu", "-fa", "off")
"""One pool for all; without flash attention a row does not depend on the others of its batch."""

Burst = tuple[Reply | None, ...]
"""The replies to a burst's requests in their order; None for one that failed."""

ABOUT = f"""\
24 requests at once of 400 tokens each, greedy with `ignore_eos`, for 12 slots over a pool of 2,000
cells, of which they would need more than 5,000:
`python -m llamabox -t 1 -np 12 -c 2000 {" ".join(OUR_FLAGS)}`, and
`llama-server -t 1 -tb 1 -np 12 -c 2000 {" ".join(llama_server.FLAGS)}`, which rounds the cells up
to a multiple of 256. How many requests come to their end with all their tokens, and how many of
llamabox's texts are those of a run with `-c 16384`: the fewest of all runs."""


def run(settings: Settings) -> Result:
    """Measure every model; without llama-server, llamabox alone."""
    paths, notes = chosen_models(settings, [STORIES])
    if llama_server.find_binary() is None:
        notes.append(f"{PEER_NAME}: {llama_server.MISSING}")
    figures = [figure for path in paths for figure in _figures(path, settings)]
    return Result(title="Pool pressure", about=ABOUT, figures=tuple(figures), notes=tuple(notes))


def _figures(path: Path, settings: Settings) -> list[Figure]:
    """Counts of requests, the lowest of the runs."""
    n_predict = settings.count(N_PREDICT, 8)
    ours = partial(
        llamabox_server, path, n_parallel=N_PARALLEL, n_threads=N_THREADS, flags=OUR_FLAGS
    )
    (expected,) = _bursts(ours(n_ctx=N_CELLS_ENOUGH), n_predict, 1)
    bursts = _bursts(ours(n_ctx=N_CELLS), n_predict, settings.runs)
    label = model_label(path)
    counts = {
        "llamabox: complete": [n_complete(replies, n_predict) for replies in bursts],
        "llamabox: as without pressure": [n_alike(replies, expected) for replies in bursts],
    }
    figures = [
        Figure(
            case=f"{label}, {case}",
            value=min(values),
            unit=f"of {N_REQUESTS}",
            at_least=N_REQUESTS,
        )
        for case, values in counts.items()
    ]
    if llama_server.find_binary() is not None:
        peer = llama_server.server(path, n_ctx=N_CELLS, n_parallel=N_PARALLEL, n_threads=N_THREADS)
        n = [n_complete(replies, n_predict) for replies in _bursts(peer, n_predict, settings.runs)]
        case = f"{label}, {PEER_NAME}: complete"
        figures.append(Figure(case=case, value=min(n), unit=f"of {N_REQUESTS}"))
    return figures


def n_complete(replies: Burst, n_predict: int) -> int:
    """How many replies have all of their tokens."""
    return sum(reply is not None and reply.n_tokens == n_predict for reply in replies)


def n_alike(replies: Burst, expected: Burst) -> int:
    """How many replies have the text that the same request got in the other burst."""
    return sum(
        reply is not None and other is not None and reply.text == other.text
        for reply, other in zip(replies, expected, strict=True)
    )


def _bursts(server: AbstractContextManager[Address], n_predict: int, n: int) -> list[Burst]:
    """The same burst `n` times at a server that runs for as long."""
    with server as address, event_loop() as loop:
        return [loop.run_until_complete(_burst(address, n_predict)) for _ in range(n)]


async def _burst(address: Address, n_predict: int) -> Burst:
    """All requests at once; a failed one has no reply."""
    prompts = text_prompts(N_REQUESTS, N_WORDS, seed=1)
    load = Load(prompts=prompts, max_tokens=n_predict)
    replies = await asyncio.wait_for(
        asyncio.gather(*[_request(address, body) for body in load.bodies()]), load.seconds
    )
    return tuple(replies)


async def _request(address: Address, body: bytes) -> Reply | None:
    try:
        reply = read_reply(await one_request(address, body))
    except OSError:
        return None
    return reply if reply.is_whole else None
