"""HTTP load on any OpenAI server of this machine: closed loop, or open loop at a rate.

    python -m bench.online --url http://127.0.0.1:8080 --clients 4 --requests 32
    python -m bench.online --url http://127.0.0.1:8080 --rate 2.5 --requests 32

Closed loop: a number of clients, each of which sends its next request when it has its reply. Open
loop: requests leave at the times of a Poisson process, whatever the server does. All requests are
streamed text completions.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence

import orjson

from .event_loop import event_loop
from .http_stream import Address, Connection, RawReply
from .prompts import text_prompts
from .replies import LoadResult, read_replies
from .report import render_table

PATH = "/v1/completions"
MAX_REQUESTS = 10_000
MAX_CLIENTS = 256
MAX_SECONDS = 600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent.

    :param prompts: one for each request.
    :param max_tokens: of each request; its output has exactly as many where the server knows
        `ignore_eos`.
    :param ignore_eos: send that field.
    :param seconds: after which the load is given up.
    """

    prompts: Sequence[str]
    max_tokens: int
    model: str = "default"
    ignore_eos: bool = True
    seconds: float = 120.0

    def __post_init__(self) -> None:
        """:raises ValueError: the load has no bounds that make sense."""
        if not 0 < len(self.prompts) <= MAX_REQUESTS or not 0 < self.seconds <= MAX_SECONDS:
            raise ValueError(f"1 to {MAX_REQUESTS} requests in {MAX_SECONDS:.0f} s at most")

    def bodies(self) -> Iterator[bytes]:
        """The requests' JSON."""
        fields: dict[str, object] = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.ignore_eos:
            fields["ignore_eos"] = True
        return (orjson.dumps({"prompt": prompt, **fields}) for prompt in self.prompts)


async def closed_loop(address: Address, load: Load, n_clients: int) -> LoadResult:
    """`n_clients` clients, each with a connection of its own, until the prompts are used up.

    :raises ValueError: there are too many clients.
    :raises OSError: a connection failed.
    :raises asyncio.TimeoutError: the time is up.
    """
    if not 0 < n_clients <= MAX_CLIENTS:
        raise ValueError(f"1 to {MAX_CLIENTS} clients")
    bodies = list(load.bodies())
    queue = iter(enumerate(bodies))
    clock = _Clock()
    clients = asyncio.gather(*[_client(address, queue) for _ in range(n_clients)])
    some = await asyncio.wait_for(clients, load.seconds)
    times = clock.stop()
    replies = dict(itertools.chain.from_iterable(some))
    return read_replies([replies[i] for i in range(len(bodies))], *times)


async def open_loop(address: Address, load: Load, rate: float, seed: int = 0) -> LoadResult:
    """A connection for each request, at `rate` requests per second with exponential gaps.

    :raises ValueError: the rate is not positive.
    :raises OSError: a connection failed.
    :raises asyncio.TimeoutError: the time is up.
    """
    if rate <= 0:
        raise ValueError("the rate must be positive")
    rng = random.Random(seed)
    clock = _Clock()
    at = 0.0
    tasks = []
    for body in load.bodies():
        tasks.append(one_request(address, body, at))
        at += rng.expovariate(rate)
    replies = await asyncio.wait_for(asyncio.gather(*tasks), load.seconds)
    return read_replies(replies, *clock.stop())


async def one_request(
    address: Address, body: bytes, delay: float = 0.0, until: asyncio.Event | None = None
) -> RawReply:
    """A completion on a connection of its own, `delay` seconds from now.

    :param until: when to hang up; the reply is then what has come.
    :raises OSError: the connection failed.
    """
    await asyncio.sleep(delay)
    connection = Connection(address)
    over = asyncio.ensure_future(_hang_up(connection, until)) if until else None
    try:
        return await connection.post(PATH, body)
    finally:
        if over:
            over.cancel()
        connection.close()


async def _hang_up(connection: Connection, until: asyncio.Event) -> None:
    await until.wait()
    connection.hang_up()


async def _client(
    address: Address, bodies: Iterator[tuple[int, bytes]]
) -> list[tuple[int, RawReply]]:
    """Send what is left of the numbered bodies, one after the other."""
    connection = Connection(address)
    try:
        return [(i, await connection.post(PATH, body)) for i, body in bodies]
    finally:
        connection.close()


class _Clock:
    """Wall and processor time of the load generator, in seconds."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def stop(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns 1 if a request failed."""
    parser = argparse.ArgumentParser("python -m bench.online", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default="default", help="name to ask for")
    parser.add_argument("--clients", type=int, default=4, help="of the closed loop")
    parser.add_argument("--rate", type=float, help="requests per second: an open loop")
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--prompt-words", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0, help="give up after these")
    parser.add_argument("--seed", type=int, default=0, help="of prompts and arrivals")
    args = parser.parse_args(argv)
    if args.rate is not None and not args.rate > 0:
        parser.error("--rate: must be positive")
    if not 0 < args.clients <= MAX_CLIENTS:
        parser.error(f"--clients: 1 to {MAX_CLIENTS}")
    try:
        address = Address.parse(args.url)
        load = Load(
            prompts=text_prompts(min(args.requests, MAX_REQUESTS), args.prompt_words, args.seed),
            max_tokens=args.max_tokens,
            model=args.model,
            seconds=args.seconds,
        )
    except ValueError as error:
        parser.error(str(error))
    with event_loop() as loop:
        if args.rate is not None:
            result = loop.run_until_complete(open_loop(address, load, args.rate, args.seed))
        else:
            result = loop.run_until_complete(closed_loop(address, load, args.clients))
    print(render_table(("measured", "value"), result.table()))
    return 1 if result.n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
