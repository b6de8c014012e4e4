"""A client that goes away takes its generation with it."""

from __future__ import annotations

import json
import logging
import random
import socket
from collections.abc import Iterator

import psutil
import pytest

from tests.server.conftest import small_config
from tests.server.faults import FaultyEngine
from tests.server.live import HANG, LiveServer, eventually

ENDLESS = {"prompt": "Once upon a time", "max_tokens": -1, "ignore_eos": True}


@pytest.fixture
def faulty() -> Iterator[LiveServer]:
    """A server whose generations give a word every 10 ms, for a minute."""
    script = ["word ", 0.01] * 6000
    with LiveServer(small_config(), FaultyEngine.opener(script)) as server:
        yield server.wait_ready()


def post(server: LiveServer, path: str, body: dict[str, object]) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    raw = socket.create_connection((host, int(port)), timeout=HANG)
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
    raw.sendall(head.encode() + data)
    return raw


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_the_engine_stops_when_the_client_goes(
    server: LiveServer, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="llamabox.server")
    before = server.cancelled()
    with post(server, "/v1/completions", ENDLESS | {"stream": stream}) as raw:
        eventually(lambda: server.stats().n_running > 0, "the request runs")
        if stream:
            assert raw.recv(64).startswith(b"HTTP/1.1 200 ")
    eventually(lambda: server.stats().n_running == 0, "nothing runs any more")
    assert server.cancelled() == before + 1
    eventually(lambda: bool(caplog.records), "the request is logged")
    (record,) = caplog.records
    assert " 499 " in record.getMessage()


def test_a_large_body_hides_no_disconnect(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A body that fills Sanic's read buffer at once leaves the socket unread.
    monkeypatch.setitem(server.app.config, "REQUEST_BUFFER_SIZE", 16384)
    before = server.cancelled()
    with post(server, "/v1/completions", ENDLESS | {"user": "x" * 20_000}):
        eventually(lambda: server.stats().n_running > 0, "the request runs")
    eventually(lambda: server.stats().n_running == 0, "nothing runs any more")
    assert server.cancelled() == before + 1


def test_a_queued_request_leaves_the_queue(server: LiveServer) -> None:
    before = server.cancelled()
    sockets = [post(server, "/v1/completions", ENDLESS) for _ in range(8)]
    eventually(lambda: server.stats().n_waiting > 0, "a request waits")
    for raw in sockets:
        raw.close()
    eventually(lambda: server.stats().n_running + server.stats().n_waiting == 0, "all are gone")
    assert server.cancelled() > before


def test_many_clients_that_come_and_go_leave_nothing_behind(server: LiveServer) -> None:
    process = psutil.Process()
    dice = random.Random(1)
    n_fds = 0
    for n_round in range(6):
        sockets = []
        for _ in range(12):
            body = {
                "prompt": "word " * dice.randint(1, 100),
                "max_tokens": dice.randint(0, 80),
                "ignore_eos": True,
                "stream": dice.random() < 0.5,
            }
            sockets.append(post(server, "/v1/completions", body))
        for raw in dice.sample(sockets, len(sockets)):
            if dice.random() < 0.3:
                assert raw.recv(64).startswith(b"HTTP/1.1 200 ")
            raw.close()
        eventually(lambda: server.stats().n_running + server.stats().n_waiting == 0, "all end")
        if n_round == 0:
            n_fds = process.num_fds()
    eventually(lambda: process.num_fds() <= n_fds, "no file descriptor is left open")
    assert server.stats().n_requests.get("error", 0) == 0


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_few_tokens_are_lost_on_a_client_that_goes(faulty: LiveServer, stream: bool) -> None:
    engine: FaultyEngine = faulty.service.engine
    with post(faulty, "/v1/completions", ENDLESS | {"stream": stream}):
        eventually(lambda: bool(engine.streams) and engine.streams[0].n_output > 3, "it runs")
    n_output = engine.streams[0].n_output
    eventually(lambda: engine.streams[0].is_cancelled, "the generation is cancelled")
    assert engine.streams[0].n_output < n_output + 500


def test_a_client_that_goes_before_the_first_token(faulty: LiveServer) -> None:
    engine: FaultyEngine = faulty.service.engine
    engine.script = [60.0]
    with post(faulty, "/v1/completions", ENDLESS | {"stream": True}):
        eventually(lambda: bool(engine.streams), "it runs")
    eventually(lambda: engine.streams[0].is_cancelled, "the generation is cancelled")
    counts = faulty.service.http_counts
    eventually(lambda: ("/v1/completions", 499) in counts, "it is counted")
    assert [n for (route, _), n in counts.items() if route == "/v1/completions"] == [1]
