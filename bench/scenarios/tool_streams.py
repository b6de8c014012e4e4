"""What reading calls costs: streams of tool calls against the same output as plain text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any

import orjson

from llamabox import packaged_model

from ..event_loop import event_loop
from ..http_stream import Address, Connection, RawReply
from ..pairs import Comparison, compare
from ..processes import llamabox_server
from ..report import Result
from ..settings import N_THREADS, Settings

PATH = "/v1/chat/completions"
N_STREAMS = 16
N_ROUNDS = 4
N_CTX = 8192
MOST = 1.2
"""What the streams with tools may take, in times of the others."""
QUESTION = "What is the weather in Paris? What is the weather in Rome?"
WEATHER = {
    "name": "get_weather",
    "description": "Get the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
TOLD = f"""\
Tools at hand, one JSON object a line:
<tools>
{json.dumps(WEATHER)}
</tools>
Use a tool like this:
<tool_call>
{{"name": NAME, "arguments": {{...}}}}
</tool_call>"""
"""What the packaged model's template makes of the tool, for requests without tools."""

ABOUT = f"""\
`python -m llamabox -t 1 -np {N_STREAMS} -c {N_CTX}` with the packaged model: {N_STREAMS} clients
that stream `/v1/chat/completions`, {N_ROUNDS} requests each, greedy. With `tools`, of which the
model makes two calls a request; and with the same tools described in a system message, where it
writes the same calls and they are content. Seconds for all requests."""


def run(settings: Settings) -> Result:
    """Measure both kinds of requests in turn."""
    n_rounds = settings.count(N_ROUNDS, 1)
    counts: set[int] = set()
    with _sides() as (address, loop):
        seconds = {
            name: partial(_seconds, loop, address, body, n_rounds, counts)
            for name, body in _bodies().items()
        }
        comparison = _compare(seconds, settings)
    if max(counts) > 1.1 * min(counts):
        raise RuntimeError(f"outputs of {min(counts)} to {max(counts)} tokens are not the same")
    return Result(title="Streams of tool calls", about=ABOUT, comparisons=(comparison,))


def _compare(seconds: dict[str, partial[float]], settings: Settings) -> Comparison:
    return compare(
        f"{N_STREAMS} streams",
        ours=seconds["tools"],
        peer=seconds["plain"],
        peer_name="the same as content",
        unit="s",
        runs=settings.runs,
        lower_is_better=True,
        in_summary=False,
        target=1 / MOST,
    )


@contextlib.contextmanager
def _sides() -> Iterator[tuple[Address, asyncio.AbstractEventLoop]]:
    model = packaged_model()
    with (
        llamabox_server(model, n_ctx=N_CTX, n_parallel=N_STREAMS, n_threads=N_THREADS) as address,
        event_loop() as loop,
    ):
        yield address, loop


def _bodies() -> dict[str, bytes]:
    question = {"role": "user", "content": QUESTION}
    asked = {
        "temperature": 0,
        "max_tokens": 128,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    tools = {"messages": [question], "tools": [{"type": "function", "function": WEATHER}]}
    plain = {"messages": [{"role": "system", "content": TOLD}, question]}
    return {"tools": orjson.dumps(asked | tools), "plain": orjson.dumps(asked | plain)}


def _seconds(
    loop: asyncio.AbstractEventLoop,
    address: Address,
    body: bytes,
    n_rounds: int,
    counts: set[int],
) -> float:
    """What all requests take.

    :param counts: gets the tokens of their outputs.
    :raises RuntimeError: one failed.
    """
    started = time.perf_counter()
    clients = [_client(address, body, n_rounds) for _ in range(N_STREAMS)]
    replies = loop.run_until_complete(_gather(clients))
    elapsed = time.perf_counter() - started
    counts.update(_usage(reply) for each in replies for reply in each)
    return elapsed


async def _gather(clients: list[Coroutine[Any, Any, list[RawReply]]]) -> list[list[RawReply]]:
    return await asyncio.gather(*clients)


async def _client(address: Address, body: bytes, n_rounds: int) -> list[RawReply]:
    connection = Connection(address)
    try:
        return [await connection.post(PATH, body) for _ in range(n_rounds)]
    finally:
        connection.close()


def _usage(reply: RawReply) -> int:
    """The tokens of an output."""
    if reply.status != 200:
        raise RuntimeError(f"{reply.status}: {reply.body.decode('utf-8', 'replace')}")
    usage = orjson.loads(reply.events[-2])["usage"]
    n: int = usage["completion_tokens"]
    return n
