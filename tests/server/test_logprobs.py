"""Log probabilities over HTTP: the shapes of each dialect, whole and streamed."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from llamabox import Chunk, FinishReason, GenerationParams, Prompt
from llamabox.server.reply_chat import ChatReply
from llamabox.server.reply_native import NativeReply
from llamabox.server.reply_text import TextReply
from llamabox.server.schema import read_text
from tests.server.live import LiveServer, eventually
from tests.server.sse_reader import events, parse

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
NATIVE = "/completion"
BODY = {
    "messages": [{"role": "user", "content": "Hello!"}],
    "prompt": "Once upon a time",
    "temperature": 0,
    "max_tokens": 12,
    "ignore_eos": True,
}


def ask(client: httpx.Client, path: str, **body: Any) -> Any:
    response = client.post(path, json=BODY | body)
    assert response.status_code == 200, response.text
    return response.json()


def byte_tokens(server: LiveServer) -> dict[str, float]:
    """A bias towards tokens that are single bytes of longer characters."""
    vocab = server.service.engine.model.vocab
    pieces = {token: vocab.piece(token) for token in range(vocab.n_tokens)}
    return {str(t): 20.0 for t, piece in pieces.items() if len(piece) == 1 and piece >= b"\x80"}


@pytest.mark.parametrize("n_top", [None, 0, 3, 20])
def test_a_chat_has_openais_shape(client: httpx.Client, n_top: int | None) -> None:
    reply = ask(client, CHAT, logprobs=True, top_logprobs=n_top)
    (choice,) = reply["choices"]
    assert set(choice["logprobs"]) == {"content", "refusal"}
    entries = choice["logprobs"]["content"]
    assert len(entries) == reply["usage"]["completion_tokens"] == 12
    assert "".join(entry["token"] for entry in entries) == choice["message"]["content"]
    for entry in entries:
        assert set(entry) == {"token", "logprob", "bytes", "top_logprobs"}
        assert bytes(entry["bytes"]).decode() == entry["token"]
        assert -9999 <= entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == (n_top or 0)
        found = [candidate["logprob"] for candidate in entry["top_logprobs"]]
        assert found == sorted(found, reverse=True)
        for candidate in entry["top_logprobs"]:
            assert set(candidate) == {"token", "logprob", "bytes"}
        own = {name: entry[name] for name in ("token", "logprob", "bytes")}
        assert own in entry["top_logprobs"] or own["logprob"] <= min(found, default=0)


@pytest.mark.parametrize("path", [CHAT, TEXT, NATIVE])
@pytest.mark.parametrize("body", [{}, {"logprobs": None}, {"n_probs": 0}])
def test_nothing_is_told_unasked(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    reply = ask(client, path, **body)
    if path == NATIVE:
        assert "completion_probabilities" not in reply
        assert reply["generation_settings"]["n_probs"] == 0
    else:
        assert reply["choices"][0]["logprobs"] is None
        chunks = events(client, path, BODY | body)[:-1]
        assert {chunk["choices"][0]["logprobs"] for chunk in chunks} == {None}


@pytest.mark.parametrize("n_top", [0, 1, 5])
def test_a_text_completion_has_the_legacy_shape(client: httpx.Client, n_top: int) -> None:
    (choice,) = ask(client, TEXT, logprobs=n_top)["choices"]
    found = choice["logprobs"]
    assert list(found) == ["tokens", "token_logprobs", "top_logprobs", "text_offset"]
    assert {len(values) for values in found.values()} == {12}
    assert "".join(found["tokens"]) == choice["text"]
    for token, offset in zip(found["tokens"], found["text_offset"], strict=True):
        assert choice["text"][offset : offset + len(token)] == token
    for token, logprob, top in zip(
        found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True
    ):
        assert top[token] == logprob
        assert 1 <= len(top) <= 1 + n_top


def test_the_sampled_token_is_always_among_the_top(client: httpx.Client) -> None:
    body = {"temperature": 1, "seed": 2, "max_tokens": 40, "logprobs": 1}
    found = ask(client, TEXT, **body)["choices"][0]["logprobs"]
    assert {len(top) for top in found["top_logprobs"]} == {1, 2}
    assert all(map(dict.__contains__, found["top_logprobs"], found["tokens"]))


@pytest.mark.parametrize("post_sampling", [False, True])
def test_a_native_reply_has_llama_servers_shape(client: httpx.Client, post_sampling: bool) -> None:
    body = {"n_probs": 4, "post_sampling_probs": post_sampling, "temperature": 1, "seed": 3}
    name, top_name = ("prob", "top_probs") if post_sampling else ("logprob", "top_logprobs")
    reply = ask(client, NATIVE, **body)
    entries = reply["completion_probabilities"]
    assert len(entries) == reply["tokens_predicted"] == 12
    assert "".join(entry["token"] for entry in entries) == reply["content"]
    for entry in entries:
        assert set(entry) == {"id", "token", "bytes", name, top_name}
        found = [candidate[name] for candidate in entry[top_name]]
        assert found == sorted(found, reverse=True)
        assert all({"id", "token", "bytes", name} == set(c) for c in entry[top_name])
        mass = sum(found) if post_sampling else sum(map(math.exp, found))
        assert 0 < mass <= 1 + 1e-5
        assert len(found) == 4 or post_sampling
    assert reply["generation_settings"]["n_probs"] == 4


def joined(chunks: list[Any], path: str) -> Any:
    """The log probabilities of a stream's chunks, put together."""
    if path == NATIVE:
        return [e for chunk in chunks for e in chunk.get("completion_probabilities", [])]
    found = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    if path == CHAT:
        return [entry for logprobs in found if logprobs for entry in logprobs["content"]]
    return {
        name: [value for logprobs in found if logprobs for value in logprobs[name]]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }


def rounded(value: Any) -> Any:
    """A prompt that is computed and one that is reused differ by rounding."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-3)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", ["plain", "stop", "split"])
@pytest.mark.parametrize("path", [CHAT, TEXT, NATIVE])
def test_a_stream_tells_the_same(
    exact_client: httpx.Client, exact: LiveServer, path: str, case: str
) -> None:
    asked = {"logprobs": True} if path == CHAT else {"logprobs": 0}
    body = BODY | asked | {"max_tokens": 30}
    if case == "stop":  # it is held back for long, and never completed
        body["stop"] = [" the little cat\N{SNOWMAN}", "e\N{SNOWMAN}", "a\N{SNOWMAN}"]
    elif case == "split":
        body |= {"logit_bias": byte_tokens(exact), "temperature": 1, "seed": 1}
    reply = ask(exact_client, path, **body)
    chunks = [chunk for chunk in events(exact_client, path, body) if chunk != "[DONE]"]
    if path == NATIVE:
        whole = reply["completion_probabilities"]
        assert "completion_probabilities" not in chunks[-1]
        n_told = [len(chunk.get("completion_probabilities", [])) for chunk in chunks]
        assert [sum(n_told[: i + 1]) for i in range(len(n_told))] == [
            chunk["tokens_predicted"] for chunk in chunks
        ]
    else:
        found = reply["choices"][0]["logprobs"]
        whole = found["content"] if path == CHAT else found
    assert joined(chunks, path) == rounded(whole)
    if case == "split" and path == TEXT:
        offsets = whole["text_offset"]
        assert offsets == sorted(offsets)
        assert len(set(offsets)) < len(offsets)


def test_a_large_reply_is_complete(client: httpx.Client) -> None:
    """It is not rendered on the event loop."""
    asked = {"prompt": "Once", "n": 2, "n_predict": 30, "n_probs": 256, "ignore_eos": True}
    fields = ["index", "tokens_predicted", "completion_probabilities"]
    replies = client.post(NATIVE, json=asked | {"response_fields": fields}).json()
    assert [reply["index"] for reply in replies] == [0, 1]
    for reply in replies:
        assert reply["tokens_predicted"] == 30
        assert [len(entry["top_logprobs"]) for entry in reply[fields[2]]] == [256] * 30


def test_a_slow_reader_gets_all_entries(server: LiveServer) -> None:
    body = BODY | {"logprobs": True, "top_logprobs": 20, "max_tokens": 1500, "stream": True}
    with server.client() as client, client.stream("POST", CHAT, json=body) as response:
        lines = response.iter_lines()
        next(lines)
        eventually(lambda: server.stats().n_running == 0, "the generation has ended")
        text = "\n".join(lines)
    assert text.count('"top_logprobs"') == 1500


@pytest.mark.parametrize("dialect", ["chat", "text", "native"])
def test_text_that_comes_after_its_tokens_has_no_entries(dialect: str) -> None:
    prompt = Prompt(np.zeros(1, np.int32), "x")
    asked = read_text({"prompt": "x", "logprobs": 0}, GenerationParams())
    replies = {"text": TextReply, "native": NativeReply}
    reply = ChatReply("m", asked) if dialect == "chat" else replies[dialect]("m", [prompt], asked)
    watched: Any = SimpleNamespace(slot=0)
    reply.watch([watched])
    (chunk,) = parse(reply.part(Chunk("held", 0, FinishReason.DEADLINE, ())))
    assert "held" in str(chunk)
    if dialect == "native":
        assert chunk["completion_probabilities"] == []
    else:
        assert not any(chunk["choices"][0]["logprobs"].values())
    assert reply.part(Chunk("", 0, FinishReason.DEADLINE, ())) == b""


@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_no_tokens_have_no_entries(client: httpx.Client, path: str) -> None:
    logprobs = True if path == CHAT else 2
    found = ask(client, path, logprobs=logprobs, max_tokens=0)["choices"][0]["logprobs"]
    assert all(not values for values in found.values())


def test_the_openai_client_reads_them(openai_client: openai.OpenAI) -> None:
    chat = openai_client.chat.completions.create(
        model="pocket", messages=BODY["messages"], logprobs=True, top_logprobs=2, max_tokens=5
    )
    content = chat.choices[0].logprobs.content
    assert content[0].top_logprobs[0].logprob >= content[0].top_logprobs[1].logprob
    stream = openai_client.chat.completions.create(
        model="pocket", messages=BODY["messages"], logprobs=True, max_tokens=5, stream=True
    )
    entries = [e for c in stream if c.choices[0].logprobs for e in c.choices[0].logprobs.content]
    assert 0 < len(entries) <= 5
    text = openai_client.completions.create(model="pocket", prompt="Once", logprobs=3, max_tokens=5)
    logprobs = text.choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.top_logprobs) == len(logprobs.text_offset)
