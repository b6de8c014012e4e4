"""llamabox and llama-server on one model, both running; only one of them has work at any time."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.request
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from .event_loop import event_loop
from .http_stream import Address
from .online import Load, closed_loop
from .peers import llama_server
from .processes import llamabox_server
from .prompts import Seeds
from .replies import LoadResult
from .settings import N_THREADS

PEER_NAME = llama_server.NAME
OUR_FLAGS = ("--metrics",)
FLAGS_TEXT = f"""\
`python -m llamabox -t 1 {" ".join(OUR_FLAGS)}` and
`llama-server -t 1 -tb 1 {" ".join(llama_server.FLAGS)}`"""

LAYOUTS = {
    "unified": "one pool of cells for all slots",
    "partitioned": "as many cells for each slot",
}

T = TypeVar("T")


class ServerPair:
    """Both servers' addresses, and the event loop of their clients.

    :ivar seeds: the i-th run of each server gets the same prompts.
    """

    def __init__(self, ours: Address, peer: Address, loop: asyncio.AbstractEventLoop) -> None:
        self.ours = ours
        self.peer = peer
        self.seeds = Seeds()
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns, once it is done."""
        return self._loop.run_until_complete(work)

    def layout_note(self, label: str) -> str:
        """How llamabox has chosen to keep its cells; llama-server is told by `FLAGS`."""
        url = f"http://{self.ours.host}:{self.ours.port}/v1/models"
        with urllib.request.urlopen(url, timeout=10) as response:
            chosen = orjson.loads(response.read())["data"][0]["meta"]["kv_layout"]
        return f"{label}: llamabox has chosen {LAYOUTS[chosen]}; llama-server has one pool for all"

    def load(self, address: Address, load: Load, n_clients: int) -> LoadResult:
        """A closed loop on one of the servers.

        :raises RuntimeError: a request failed.
        """
        result = self.run(closed_loop(address, load, n_clients))
        if result.n_failed:
            raise RuntimeError(f"{result.n_failed} requests failed")
        return result


@contextlib.contextmanager
def server_pair(path: Path, *, n_parallel: int, n_ctx: int) -> Iterator[ServerPair]:
    """Both servers with one compute thread, `-np n_parallel` and `-c n_ctx`.

    :raises RuntimeError: a server does not start.
    """
    size = {"n_parallel": n_parallel, "n_ctx": n_ctx, "n_threads": N_THREADS}
    with (
        llamabox_server(path, **size, flags=OUR_FLAGS) as ours,
        llama_server.server(path, **size, flags=()) as peer,
        event_loop() as loop,
    ):
        yield ServerPair(ours, peer, loop)


def read_metric(address: Address, *names: str) -> float:
    """The value at `/metrics` that has one of `names`, which the servers choose.

    :raises ValueError: there is none.
    """
    url = f"http://{address.host}:{address.port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        lines = response.read().decode().splitlines()
    for line in lines:
        name, _, value = line.partition(" ")
        if name in names:
            return float(value)
    raise ValueError(f"no metric {' or '.join(names)} at {url}")
