"""The load generator: what it sends, how it reads streams, which addresses it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import orjson
import pytest

from bench.http_stream import Address, RawReply
from bench.online import Load, closed_loop, main, one_request, open_loop
from bench.replies import LoadResult, percentile, read_replies
from bench.server_pair import read_metric

EVENTS = (
    b'data: {"choices":[{"text":"one "}]}\r\n\r\n'
    b'data: {"choices":[{"delta":{"content":"two"}}],"usage":null}\n\n'
    b': a comment\n\ndata: {"choices":[],"usage":{"completion_tokens":5}}\n\ndata: [DONE]\n\n'
)

Answer = Callable[[bytes], list[bytes]]
"""From a request's body to what is written, with a pause after each piece."""


def chunked(status: bytes, body: bytes) -> bytes:
    """A reply whose chunks have 7 bytes, so that they end within lines."""
    chunks = [body[i : i + 7] for i in range(0, len(body), 7)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 %b\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (status, framed)


async def serve(
    answer: Answer, load: Callable[[Address], Coroutine[Any, Any, LoadResult]]
) -> LoadResult:
    """Put a load on a server that answers every request with `answer` of its body."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                n_bytes = int(head.lower().partition(b"content-length:")[2].split()[0])
                for piece in answer(await reader.readexactly(n_bytes)):
                    writer.write(piece)
                    await asyncio.sleep(0.001)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await load(Address("127.0.0.1", port, ""))


def pieces(reply: bytes) -> Iterator[bytes]:
    return (reply[i : i + 11] for i in range(0, len(reply), 11))


def test_closed_loop_reads_chunks_that_are_cut_anywhere() -> None:
    bodies: list[bytes] = []

    def answer(body: bytes) -> list[bytes]:
        bodies.append(body)
        return list(pieces(chunked(b"200 OK", EVENTS)))

    load = Load(prompts=["a", "b", "c"], max_tokens=9, model="pocket")
    result = asyncio.run(serve(answer, lambda address: closed_loop(address, load, 2)))
    assert result.texts == ("one two",) * 3
    assert result.n_tokens == 15
    assert result.n_failed == 0
    assert len(result.first_token) == len(result.gaps) == 3
    sent = [orjson.loads(body) for body in bodies]
    assert sorted(body["prompt"] for body in sent) == ["a", "b", "c"]
    assert all(body["stream"] and body["max_tokens"] == 9 for body in sent)


def test_open_loop_counts_failures() -> None:
    def answer(body: bytes) -> list[bytes]:
        if orjson.loads(body)["prompt"] == "bad":
            return [b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\n", b"no", b"pe"]
        return [chunked(b"200 OK", EVENTS)]

    load = Load(prompts=["good", "bad", "good"], max_tokens=9)
    result = asyncio.run(serve(answer, lambda address: open_loop(address, load, 500.0)))
    assert result.n_failed == 1
    assert len(result.texts) == 2


def test_a_server_that_hangs_up_is_an_error() -> None:
    async def hang_up() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            load = Load(prompts=["a"], max_tokens=1)
            await closed_loop(Address("127.0.0.1", port, ""), load, 1)

    with pytest.raises(OSError):
        asyncio.run(hang_up())


def test_a_connection_that_is_closed_after_a_reply_is_opened_again() -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        writer.write(chunked(b"200 OK", EVENTS))
        writer.close()

    async def load() -> LoadResult:
        server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            load = Load(prompts=["a", "b", "c"], max_tokens=1)
            return await closed_loop(Address("127.0.0.1", port, ""), load, 1)

    assert asyncio.run(load()).texts == ("one two",) * 3


def test_a_client_that_hangs_up_keeps_what_has_come() -> None:
    reply = chunked(b"200 OK", EVENTS)

    async def answer_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply[: len(reply) // 2])
        over.set()
        await reader.read()
        writer.close()

    async def hang_up() -> RawReply:
        server = await asyncio.start_server(answer_half, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            address = Address("127.0.0.1", port, "")
            over.clear()
            return await one_request(address, b"{}", until=over)

    over = asyncio.Event()
    raw = asyncio.run(hang_up())
    assert raw.status in (0, 200)
    assert raw.ended_at >= raw.sent_at
    assert read_replies([raw], 1.0, 0.0).n_failed == 1


def test_replies_are_in_the_order_of_the_prompts() -> None:
    def answer(body: bytes) -> list[bytes]:
        prompt = orjson.loads(body)["prompt"]
        event = b'data: {"choices":[{"text":"%b"}]}\n\ndata: [DONE]\n\n' % prompt.encode()
        reply = chunked(b"200 OK", event)
        return [reply] if prompt != "a" else list(pieces(reply))

    load = Load(prompts=["a", "b", "c", "d"], max_tokens=1)
    result = asyncio.run(serve(answer, lambda address: closed_loop(address, load, 2)))
    assert result.texts == ("a", "b", "c", "d")


def test_metric_has_either_name() -> None:
    body = b"# HELP a:x text\na:x 3\na:x_other 4\n"
    page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page + body)
        writer.close()

    async def read(*names: str) -> float:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(read_metric, Address("127.0.0.1", port, ""), *names)

    assert asyncio.run(read("b:x", "a:x")) == 3.0
    with pytest.raises(ValueError, match="no metric b:x"):
        asyncio.run(read("b:x"))


def test_an_error_within_a_stream_is_a_failed_request() -> None:
    reply = RawReply(0, 200, 30)
    reply.events = [b'{"choices":[{"text":"x"}]}', b'{"error":{"message":"full"}}', b"[DONE]"]
    reply.times = [10, 20, 30]
    result = read_replies([reply], 2.0, 1.0)
    assert (result.n_failed, result.n_tokens, result.texts) == (1, 0, ())


def test_a_reply_without_usage_counts_its_events() -> None:
    reply = RawReply(0, 200, 30)
    reply.events = [b'{"choices":[{"text":"x"}]}', b'{"choices":[{"text":"y"}]}', b"[DONE]"]
    reply.times = [10, 20, 30]
    result = read_replies([reply], 2.0, 1.0)
    assert (result.n_tokens, result.rate, result.client_share) == (2, 1.0, 0.5)
    assert percentile(result.first_token, 50) == pytest.approx(1e-8)


@pytest.mark.parametrize(
    "url", ["http://example.org", "https://127.0.0.1", "http://10.0.0.1:80", "127.0.0.1:80", ""]
)
def test_only_this_machine_is_loaded(url: str) -> None:
    with pytest.raises(ValueError, match="only"):
        Address.parse(url)


def test_address_of_a_url() -> None:
    assert Address.parse("http://localhost:8080/api/") == Address("localhost", 8080, "/api")


@pytest.mark.parametrize(("n", "seconds"), [(0, 1.0), (20_000, 1.0), (1, 0.0), (1, 1e9)])
def test_loads_are_bounded(n: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="at most"):
        Load(prompts=["x"] * n, max_tokens=1, seconds=seconds)


def test_clients_and_rates_are_bounded() -> None:
    load = Load(prompts=["x"], max_tokens=1)
    address = Address("127.0.0.1", 1, "")
    with pytest.raises(ValueError, match="clients"):
        asyncio.run(closed_loop(address, load, 1000))
    with pytest.raises(ValueError, match="rate"):
        asyncio.run(open_loop(address, load, 0.0))


@pytest.mark.parametrize(
    "words",
    ["--url http://example.org", "--rate 0", "--rate nan", "--clients 0", "--requests 0"],
)
def test_command_line_refuses_in_a_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    assert "error: " in capsys.readouterr().err
