"""Several choices over HTTP: ``n`` and ``best_of``, whole and streamed."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from llamabox import GenerationError
from llamabox.api import AsyncStream
from tests.server.conftest import small_config
from tests.server.live import LiveServer, eventually
from tests.server.sse_reader import events, parse
from tests.server.test_disconnect import post

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
NATIVE = "/completion"
PATHS = (CHAT, TEXT, NATIVE)
HOT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Tell me a story about a dog and a cat."}],
    "prompt": "Once upon a time there was a little dog who lived by the sea and",
    "temperature": 1.5,
    "max_tokens": 12,
    "ignore_eos": True,
}


def ask(client: httpx.Client, path: str, **body: Any) -> Any:
    response = client.post(path, json=HOT | body)
    assert response.status_code == 200, response.text
    return response.json()


def texts(reply: Any, path: str) -> list[str]:
    """The choices' texts by their index."""
    if path == NATIVE:
        results = reply if isinstance(reply, list) else [reply]
        assert [result["index"] for result in results] == list(range(len(results)))
        return [result["content"] for result in results]
    choices = reply["choices"]
    assert [choice["index"] for choice in choices] == list(range(len(choices)))
    return [choice["text"] if path == TEXT else choice["message"]["content"] for choice in choices]


def part_of(chunk: Any, path: str) -> Iterator[tuple[int, str, bool]]:
    """(index, text, is its last) of each choice in an event."""
    if path == NATIVE:
        yield chunk["index"], chunk["content"], chunk["stop"]
    elif chunk != "[DONE]":
        for choice in chunk["choices"]:
            text = choice["text"] if path == TEXT else choice["delta"].get("content", "")
            yield choice["index"], text, choice["finish_reason"] is not None


@pytest.mark.parametrize("path", PATHS)
def test_choices_are_single_requests_with_the_next_seeds(
    exact_client: httpx.Client, path: str
) -> None:
    single = [texts(ask(exact_client, path, seed=seed), path)[0] for seed in range(7, 11)]
    assert len(set(single)) == 4
    assert texts(ask(exact_client, path, seed=7, n=4), path) == single
    assert texts(ask(exact_client, path, seed=7, n_cmpl=2), path) == single[:2]


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_says_the_same(exact_client: httpx.Client, path: str) -> None:
    body = HOT | {"seed": 7, "n": 3}
    parts = [part for chunk in events(exact_client, path, body) for part in part_of(chunk, path)]
    ends = [index for index, _, is_last in parts if is_last]
    assert sorted(ends) == [0, 1, 2]
    joined = ["", "", ""]
    for index, text, _ in parts:
        joined[index] += text
    assert joined == texts(ask(exact_client, path, **body), path)
    for index in range(3):
        own = [is_last for i, _, is_last in parts if i == index]
        assert own == [False] * (len(own) - 1) + [True]


def test_no_choice_of_a_stream_waits_for_the_end_of_another(client: httpx.Client) -> None:
    body = HOT | {"n": 3, "max_tokens": -1, "stream": True}
    seen: set[int] = set()
    with client.stream("POST", TEXT, json=body) as response:
        for line in response.iter_lines():
            if line:
                seen |= {i for i, _, _ in part_of(json.loads(line.removeprefix("data: ")), TEXT)}
            if len(seen) == 3:
                break
    assert seen == {0, 1, 2}


def test_usage_counts_the_prompt_once_and_all_outputs(exact_client: httpx.Client) -> None:
    fresh = "A prompt of its own, which nobody has sent before: " * 2
    reply = ask(exact_client, TEXT, prompt=fresh, n=4)
    usage = reply["usage"]
    assert usage["completion_tokens"] == reply["timings"]["predicted_n"] == 48
    assert usage["total_tokens"] == usage["prompt_tokens"] + 48
    assert usage["prompt_tokens_details"]["cached_tokens"] < 8
    again = ask(exact_client, TEXT, prompt=fresh, n=4)["usage"]
    assert again["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1
    *_, summary, _ = events(
        exact_client,
        TEXT,
        HOT | {"prompt": fresh, "n": 4, "stream_options": {"include_usage": True}},
    )
    assert summary["choices"] == []
    assert summary["usage"]["completion_tokens"] == 48
    assert summary["usage"]["prompt_tokens"] == usage["prompt_tokens"]


def test_the_prompt_of_many_choices_is_computed_once(
    exact_client: httpx.Client, exact: LiveServer
) -> None:
    before = exact.stats().n_prompt_tokens
    prompt = "Another prompt that is long enough to tell apart: " * 4
    usage = ask(exact_client, TEXT, prompt=prompt, n=9, max_tokens=4)["usage"]
    n_computed = exact.stats().n_prompt_tokens - before
    n_cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert n_computed == usage["prompt_tokens"] - n_cached + 8


def test_the_best_are_returned(exact_client: httpx.Client) -> None:
    every = ask(exact_client, TEXT, n=6, seed=3, logprobs=0)["choices"]
    every.sort(key=lambda choice: -sum(choice["logprobs"]["token_logprobs"]))
    reply = ask(exact_client, TEXT, n=2, best_of=6, seed=3)
    assert texts(reply, TEXT) == [choice["text"] for choice in every[:2]]
    assert [choice["logprobs"] for choice in reply["choices"]] == [None, None]
    assert reply["usage"]["completion_tokens"] == 6 * 12
    assert texts(ask(exact_client, TEXT, best_of=6, seed=3), TEXT) == [every[0]["text"]]


def test_a_stream_of_as_many_as_generated_is_no_ranking(client: httpx.Client) -> None:
    chunks = events(client, TEXT, HOT | {"n": 2, "best_of": 2})
    assert {i for chunk in chunks for i, _, _ in part_of(chunk, TEXT)} == {0, 1}


def test_choices_have_their_own_log_probabilities(exact_client: httpx.Client) -> None:
    body = HOT | {"n": 3, "seed": 5, "logprobs": 1}
    whole = ask(exact_client, TEXT, **body)["choices"]
    for choice in whole:
        assert choice["logprobs"]["text_offset"][0] == 0
        assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    offsets: list[list[int]] = [[], [], []]
    for chunk in events(exact_client, TEXT, body)[:-1]:
        for choice in chunk["choices"]:
            if choice["logprobs"]:
                offsets[choice["index"]] += choice["logprobs"]["text_offset"]
    assert offsets == [choice["logprobs"]["text_offset"] for choice in whole]


def test_the_openai_client_reads_them(openai_client: openai.OpenAI) -> None:
    chat = openai_client.chat.completions.create(
        model="pocket", messages=HOT["messages"], n=3, max_tokens=6
    )
    assert [choice.index for choice in chat.choices] == [0, 1, 2]
    stream = openai_client.chat.completions.create(
        model="pocket", messages=HOT["messages"], n=3, max_tokens=6, stream=True
    )
    seen = [(choice.index, choice.finish_reason) for chunk in stream for choice in chunk.choices]
    assert {index for index, _ in seen} == {0, 1, 2}
    assert sorted(index for index, reason in seen if reason) == [0, 1, 2]
    text = openai_client.completions.create(
        model="pocket", prompt="Once", n=2, best_of=4, max_tokens=6
    )
    assert [choice.index for choice in text.choices] == [0, 1]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_goes_cancels_all(server: LiveServer, stream: bool) -> None:
    before = server.cancelled()
    body = {"prompt": "Once", "max_tokens": -1, "ignore_eos": True, "n": 6, "stream": stream}
    with post(server, TEXT, body) as raw:
        eventually(lambda: server.stats().n_running == 4, "as many run as can")
        if stream:
            assert raw.recv(64).startswith(b"HTTP/1.1 200 ")
    eventually(lambda: server.stats().n_running + server.stats().n_waiting == 0, "all are gone")
    assert server.cancelled() == before + 6


def test_a_slow_reader_gets_all_of_all(exact: LiveServer, exact_client: httpx.Client) -> None:
    body = HOT | {"max_tokens": 150, "n": 3, "seed": 1}
    with exact_client.stream("POST", TEXT, json=body | {"stream": True}) as response:
        stream = response.iter_bytes()
        received = next(stream)
        eventually(lambda: exact.stats().n_running == 0, "all have ended")
        received += b"".join(stream)
    joined = ["", "", ""]
    for chunk in parse(received):
        for index, text, _ in part_of(chunk, TEXT):
            joined[index] += text
    assert joined == texts(ask(exact_client, TEXT, **body), TEXT)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_failure_of_one_ends_all(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    engine = server.service.engine
    submit = engine.submit_choices

    def fail() -> None:
        raise GenerationError("llama.cpp failed on this request")

    async def submit_and_fail(*args: Any) -> list[AsyncStream]:
        streams: list[AsyncStream] = await submit(*args)
        monkeypatch.setattr(streams[1], "take_chunk", fail)
        return streams

    monkeypatch.setattr(engine, "submit_choices", submit_and_fail)
    with server.client() as client:
        response = client.post(TEXT, json=HOT | {"n": 3, "stream": stream, "max_tokens": 40})
    if response.status_code == 200:  # others had something to send before
        assert stream
        error = json.loads(response.text.split("data: ")[-1])["error"]
    else:
        assert response.status_code == 500
        error = response.json()["error"]
    assert error["type"] == "server_error"
    eventually(lambda: server.stats().n_running == 0, "nothing runs any more")


def test_choices_count_in_the_queue() -> None:
    engine_params = small_config().engine_params.replace(n_parallel=2, n_queue=3)
    config = small_config(engine_params=engine_params)
    endless = {"prompt": "Once", "max_tokens": -1, "ignore_eos": True}
    with LiveServer(config) as server, server.client() as client:
        server.wait_ready()
        assert len(ask(client, TEXT, n=5)["choices"]) == 5
        for body, param in (({"n": 6}, "n"), ({"best_of": 6}, "best_of")):
            response = client.post(TEXT, json=HOT | body)
            assert response.status_code == 400
            assert response.json()["error"]["param"] == param
            assert response.json()["error"]["message"].startswith(f"{param}: ")
        sockets = [post(server, TEXT, endless) for _ in range(2)]
        eventually(lambda: server.stats().n_running == 2, "both slots are taken")
        response = client.post(TEXT, json=HOT | {"n": 4})
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert server.stats().n_waiting == 0
        close_all(sockets)


def close_all(sockets: list[socket.socket]) -> None:
    for raw in sockets:
        raw.close()


def test_bad_counts_start_nothing(client: httpx.Client, server: LiveServer) -> None:
    before = sum(server.stats().n_requests.values())
    for path, body in itertools.product(PATHS, ({"n": 0}, {"n": 2, "best_of": 1}, {"n": 1000})):
        assert client.post(path, json=HOT | body).status_code == 400
    assert sum(server.stats().n_requests.values()) == before
