"""What holds for every route: authorization, request ids, CORS, /health, /v1/models, raw HTTP."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from tests.server.conftest import N_CTX, small_config
from tests.server.faults import FaultyEngine
from tests.server.live import HANG, LiveServer
from tests.server.sse_reader import parse

HELLO = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 2}
ORIGIN = {"Origin": "https://page.example"}


@pytest.fixture(scope="module")
def locked() -> Iterator[LiveServer]:
    with LiveServer(small_config(api_keys=("first", "sécond"))) as server:
        yield server.wait_ready()


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first"},
        {"Authorization": "bearer  first"},
        {"Authorization": "Bearer sécond".encode()},
        {"X-Api-Key": "first"},
        {"Authorization": "Basic Zm9v", "X-Api-Key": "first"},
    ],
)
def test_a_key_opens_the_routes(locked: LiveServer, headers: dict[str, str]) -> None:
    with locked.client() as client:
        assert client.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer firs"},
        {"Authorization": "Bearer"},
        {"Authorization": "first"},
        {"Authorization": b"Bearer \xff\xfe"},
        {"X-Api-Key": "wrong"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/nowhere"])
def test_without_a_key_nothing_opens(
    locked: LiveServer, path: str, headers: dict[str, str]
) -> None:
    with locked.client() as client:
        response = client.get(path, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


def test_health_and_preflight_need_no_key(locked: LiveServer) -> None:
    with locked.client() as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.options("/v1/chat/completions", headers=ORIGIN).status_code == 200


def exchange(server: LiveServer, request: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=HANG) as raw:
        raw.sendall(request)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def test_health(client: httpx.Client) -> None:
    for path in ("/health", "/v1/health"):
        response = client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert client.head("/health").status_code == 200


def test_models(client: httpx.Client) -> None:
    reply = client.get("/v1/models").json()
    assert reply["object"] == "list"
    (model,) = reply["data"]
    assert (model["id"], model["object"], model["owned_by"]) == ("pocket", "model", "llamabox")
    assert model["created"] > 0
    meta = model["meta"]
    assert (meta["n_ctx"], meta["n_slot"]) == (N_CTX, 4)
    assert meta["n_params"] > 1e6
    assert meta["size"] > 1e6
    assert meta["n_vocab"] > 100
    assert meta["temperature"] == 0.8
    assert client.get("/models").json()["data"][0]["meta"] == meta


def test_a_model_without_alias_has_its_own_name(locked: LiveServer) -> None:
    with locked.client(headers={"X-Api-Key": "first"}) as client:
        name = client.get("/v1/models").json()["data"][0]["id"]
        assert client.post("/v1/chat/completions", json=HELLO).json()["model"] == name
    assert name == locked.service.engine.model.name
    assert "/" not in name


def test_a_request_id_is_taken(client: httpx.Client) -> None:
    for path in ("/health", "/v1/nowhere"):
        response = client.get(path, headers={"X-Request-ID": "trace-1"})
        assert response.headers["x-request-id"] == "trace-1"
        assert int(response.headers["x-request-accepted-at"]) > 0


@pytest.mark.parametrize("unsafe", ["", "x" * 129, "two words", "é".encode()])
def test_an_unsafe_request_id_is_replaced(client: httpx.Client, unsafe: str | bytes) -> None:
    made = client.get("/health", headers={"X-Request-ID": unsafe}).headers["x-request-id"]
    assert made != unsafe
    assert len(made) == 32


def test_request_ids_differ(client: httpx.Client) -> None:
    ids = {client.get("/health").headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10


def test_a_stream_has_its_headers(client: httpx.Client) -> None:
    body = HELLO | {"stream": True}
    headers = {"X-Request-ID": "trace-2", **ORIGIN}
    response = client.post("/v1/chat/completions", json=body, headers=headers)
    assert response.headers["x-request-id"] == "trace-2"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]


def test_any_origin_may_read(client: httpx.Client) -> None:
    assert client.get("/health").headers["access-control-allow-origin"] == "*"
    for path in ("/health", "/v1/nowhere"):
        headers = client.get(path, headers=ORIGIN).headers
        assert headers["access-control-allow-origin"] == ORIGIN["Origin"]
        assert headers["access-control-allow-credentials"] == "true"
        assert headers["vary"] == "Origin"


def test_a_strange_origin_breaks_nothing(client: httpx.Client) -> None:
    assert client.get("/health", headers={"Origin": b"http://\xff"}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/health", "/v1/nowhere"])
def test_a_preflight_allows_what_it_asks_for(client: httpx.Client, path: str) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    response = client.options(path, headers=ORIGIN | asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["access-control-allow-headers"] == "authorization, content-type"


def test_the_access_log_has_a_line_per_request(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="llamabox.server"):
        for stream in (False, True):
            client.post(
                "/v1/chat/completions",
                json=HELLO | {"stream": stream, "ignore_eos": True},
                headers={"X-Request-ID": f"logged-{stream}"},
            )
        client.get("/v1/nowhere", headers={"X-Request-ID": "logged-404"})
        client.get("/health", headers={"X-Request-ID": "logged-health"})
    lines = [record.getMessage() for record in caplog.records]
    for name in ("False", "True"):
        (line,) = [line for line in lines if line.endswith(f"id logged-{name}")]
        assert line.startswith("POST /v1/chat/completions 200 ")
        assert "+2 tokens" in line
    (line,) = [line for line in lines if line.endswith("id logged-404")]
    assert line.startswith("GET /v1/nowhere 404 ")
    assert not [line for line in lines if "logged-health" in line]


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"POST /completion HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"GET /\x1b[31mred HTTP/1.1\r\n\r\n",
        b"GET /\x1b[31m\xff HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET x:y HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_json_error(
    server: LiveServer, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    reply = exchange(server, head)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b'"type":"invalid_request_error"' in reply
    assert not [record for record in caplog.records if record.exc_info]
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("keep_alive", [False, True])
def test_a_stream_for_http_1_0_has_no_chunks(server: LiveServer, keep_alive: bool) -> None:
    body = json.dumps(HELLO | {"stream": True, "max_tokens": 20, "ignore_eos": True}).encode()
    head = b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n" % len(body)
    head += b"Connection: keep-alive\r\n\r\n" if keep_alive else b"\r\n"
    reply_head, _, stream = exchange(server, head + body).partition(b"\r\n\r\n")
    assert reply_head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in reply_head.lower()
    assert b"\r\nconnection: close" in reply_head.lower()
    *chunks, done = parse(stream)
    assert done == "[DONE]"
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_the_openai_client_lists_the_models(openai_client: openai.OpenAI) -> None:
    assert [model.id for model in openai_client.models.list()] == ["pocket"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_stays_silent_too_long_is_cut(stream: bool) -> None:
    script = [HANG]
    with LiveServer(small_config(timeout=1), FaultyEngine.opener(script)) as server:
        with server.wait_ready().client() as client:
            response = client.post("/v1/completions", json={"prompt": "x", "stream": stream})
        assert response.status_code == 503
        assert response.json()["error"]["type"] == "unavailable_error"
        (output,) = server.service.engine.streams
        assert output.is_cancelled
        counts = server.service.http_counts.items()
        assert [(status, n) for (route, status), n in counts if "completions" in route] == [
            (503, 1)
        ]


def test_concurrent_replies_are_those_of_lone_requests(server: LiveServer) -> None:
    prompts = [f"Tell me about number {i}. " * (1 + i % 5) for i in range(16)]

    def ask(prompt: str) -> str:
        body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0}
        with server.client() as client:
            response = client.post("/v1/chat/completions", json=body | {"max_tokens": 20})
        return response.json()["choices"][0]["message"]["content"]

    alone = [ask(prompt) for prompt in prompts]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, prompts)) == alone
