"""What clients see when the engine fails, before and after the first byte of a reply."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest

from llamabox import EngineClosed, EngineOverloaded, GenerationError, TemplateError
from llamabox.server import sse
from tests.server.conftest import small_config
from tests.server.faults import FaultyEngine
from tests.server.live import LiveServer
from tests.server.sse_reader import events, parse

PROMPT = {"prompt": "x"}
PATHS = ("/v1/completions", "/completion")


@pytest.fixture
def faulty() -> Iterator[LiveServer]:
    with LiveServer(small_config(), FaultyEngine.opener()) as server:
        yield server.wait_ready()


@pytest.mark.parametrize(
    ("refusal", "status", "kind"),
    [
        (EngineOverloaded("the queue is full", retry_after=2.6), 429, "rate_limit_error"),
        (EngineClosed("the engine is closed"), 503, "unavailable_error"),
        (TemplateError("no"), 400, "invalid_request_error"),
        (ZeroDivisionError("a secret"), 500, "server_error"),
    ],
)
def test_a_refused_request_is_a_plain_error(
    faulty: LiveServer, refusal: Exception, status: int, kind: str
) -> None:
    faulty.service.engine.refusal = refusal
    for path, stream in itertools.product(PATHS, (False, True)):
        with faulty.client() as client:
            response = client.post(path, json=PROMPT | {"stream": stream})
        assert response.status_code == status
        error = response.json()["error"]
        assert (error["type"], error["code"]) == (kind, status)


def test_an_overloaded_server_says_when_to_come_back(faulty: LiveServer) -> None:
    faulty.service.engine.refusal = EngineOverloaded("the queue is full", retry_after=2.6)
    with faulty.client() as client:
        assert client.post(PATHS[0], json=PROMPT).headers["retry-after"] == "3"


def test_an_unexpected_error_shows_only_the_request_id(
    faulty: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.service.engine.refusal = ZeroDivisionError("a secret")
    with faulty.client() as client, caplog.at_level(logging.ERROR):
        response = client.post(PATHS[0], json=PROMPT, headers={"X-Request-ID": "trace-9"})
    assert "trace-9" in response.json()["error"]["message"]
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    (record,) = [record for record in caplog.records if "trace-9" in record.getMessage()]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def counts(server: LiveServer, path: str) -> dict[int, int]:
    """Answered requests of a route by their status."""
    found = server.service.http_counts.items()
    return {status: n for (route, status), n in found if route == path}


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_token_is_a_plain_error(
    faulty: LiveServer, stream: bool
) -> None:
    faulty.service.engine.script = [GenerationError("llama.cpp failed")]
    with faulty.client() as client:
        response = client.post(PATHS[0], json=PROMPT | {"stream": stream})
    assert response.status_code == 500
    assert response.json()["error"]["message"] == "llama.cpp failed"
    assert response.headers["x-request-id"]
    assert counts(faulty, PATHS[0]) == {500: 1}


@pytest.mark.parametrize("path", PATHS)
def test_a_failure_after_the_first_token_is_the_last_event(
    faulty: LiveServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.service.engine.script = ["one", "two", GenerationError("llama.cpp failed")]
    with faulty.client() as client, caplog.at_level(logging.INFO, logger="llamabox.server"):
        *parts, last = events(client, path, PROMPT)
        assert client.get("/health").status_code == 200
    assert len(parts) == 2
    assert last["error"]["message"] == "llama.cpp failed"
    assert last["error"]["code"] == 500
    (line,) = [record.getMessage() for record in caplog.records if path in record.getMessage()]
    assert " 500 " in line
    assert counts(faulty, path) == {500: 1}


def test_an_unexpected_error_in_a_stream_is_logged_and_not_shown(
    faulty: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.service.engine.script = ["one", ZeroDivisionError("a secret")]
    with faulty.client() as client, caplog.at_level(logging.ERROR):
        _, last = events(client, PATHS[0], PROMPT)
    assert last["error"]["code"] == 500
    assert "secret" not in last["error"]["message"]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_an_idle_stream_is_pinged(faulty: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.05)
    faulty.service.engine.script = [0.3, "one", 0.3, "two"]
    with (
        faulty.client() as client,
        client.stream("POST", PATHS[0], json=PROMPT | {"stream": True}) as response,
    ):
        chunks = list(response.iter_raw())
    stream = b"".join(chunks)
    before, between = stream.index(b'"one"'), stream.index(b'"two"')
    assert stream[:before].count(sse.PING) >= 1
    assert stream[before:between].count(sse.PING) >= 1
    assert parse(stream)[-1] == "[DONE]"


def test_text_that_needs_escaping_arrives_as_it_is(faulty: LiveServer) -> None:
    text = 'a "quoted"\n\ndata: \\ é 漢 \u2028 \x00 </script>'
    faulty.service.engine.script = [text, "", "end"]
    with faulty.client() as client:
        *chunks, _ = events(client, PATHS[0], PROMPT)
        texts = [chunk["choices"][0]["text"] for chunk in chunks]
        *native, _ = events(client, PATHS[1], PROMPT)
    assert texts == [text, "end", ""]
    assert [part["content"] for part in native] == [text, "end"]


def test_a_slow_reader_gets_everything(faulty: LiveServer) -> None:
    faulty.service.engine.script = ["x" * 50_000] * 100
    with (
        faulty.client() as client,
        client.stream("POST", PATHS[0], json=PROMPT | {"stream": True}) as response,
    ):
        stream = b"".join(response.iter_raw(chunk_size=1 << 20))
    texts = [chunk["choices"][0]["text"] for chunk in parse(stream)[:-1]]
    assert len("".join(texts)) == 5_000_000
