"""Requests that are wrong: each gets its status, OpenAI's error shape, and the field's name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.server.conftest import N_CTX, small_config
from tests.server.live import LiveServer

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
NATIVE = "/completion"
HELLO = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 2}
POSTS = (CHAT, "/chat/completions", TEXT, NATIVE)


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of a response, which has to have OpenAI's shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    error = response.json()["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["code"] == status
    assert error["message"]
    return error


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b'{"prompt": ', "not JSON"),
        (b'{"prompt": "\xff"}', "not JSON"),
        (b'{"prompt": "\\ud800"}', "not JSON"),
        (b'{"prompt": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
    ],
)
def test_a_body_that_is_no_json_object(
    client: httpx.Client, path: str, body: bytes, said: str
) -> None:
    error = error_of(client.post(path, content=body), 400)
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", -2),
        ("max_tokens", "5"),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("max_completion_tokens", -2),
        ("n_predict", -2),
        ("temperature", "hot"),
        ("temperature", False),
        ("temperature", []),
        ("top_p", 1.5),
        ("top_p", -0.1),
        ("min_p", 2),
        ("top_k", 1e12),
        ("top_k", "40"),
        ("repeat_penalty", 0),
        ("repeat_last_n", -2),
        ("presence_penalty", "x"),
        ("frequency_penalty", {}),
        ("seed", "7"),
        ("seed", 0.5),
        ("stop", 5),
        ("stop", {}),
        ("stream", "yes"),
        ("stream", 1),
        ("stream_options", True),
        ("ignore_eos", 1),
        ("model", 5),
        ("n", 0),
        ("n", 129),
        ("n", 1.5),
        ("n", True),
        ("n_cmpl", 0),
        ("n_cmpl", "2"),
        ("best_of", 0),
        ("best_of", 129),
        ("best_of", True),
        ("n_probs", 257),
        ("n_probs", True),
        ("post_sampling_probs", 1),
    ],
)
@pytest.mark.parametrize("path", [CHAT, TEXT, NATIVE])
def test_a_field_that_is_mistyped_or_out_of_range(
    client: httpx.Client, path: str, field: str, value: object
) -> None:
    body = HELLO | {"prompt": "Hello", "max_tokens": None} | {field: value}
    error = error_of(client.post(path, json=body), 400)
    assert error["param"] == field
    assert field in error["message"]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        (CHAT, {"logprobs": 5}, "logprobs"),
        (CHAT, {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        (CHAT, {"logprobs": True, "top_logprobs": -1}, "top_logprobs"),
        (CHAT, {"logprobs": True, "top_logprobs": "5"}, "top_logprobs"),
        (CHAT, {"logprobs": False, "top_logprobs": 5}, "top_logprobs"),
        (CHAT, {"top_logprobs": 5}, "top_logprobs"),
        (TEXT, {"logprobs": 21}, "logprobs"),
        (TEXT, {"logprobs": -1}, "logprobs"),
        (TEXT, {"logprobs": True}, "logprobs"),
        (TEXT, {"n": 3, "best_of": 2}, "best_of"),
        (TEXT, {"n": 2, "best_of": 3, "stream": True}, "best_of"),
        (TEXT, {"best_of": 3, "n_probs": 1, "post_sampling_probs": True}, "best_of"),
    ],
)
def test_choices_and_log_probabilities_that_cannot_be(
    client: httpx.Client, path: str, fields: dict[str, object], param: str
) -> None:
    error = error_of(client.post(path, json=HELLO | {"prompt": "Hello"} | fields), 400)
    assert error["param"] == param
    assert param in error["message"]


def test_the_path_of_a_nested_field_is_named(client: httpx.Client) -> None:
    for field, value, param in (
        ("stop", ["a", 5], "stop[1]"),
        ("stream_options", {"include_usage": 1}, "stream_options.include_usage"),
        ("chat_template_kwargs", 5, "chat_template_kwargs"),
        ("add_generation_prompt", "no", "add_generation_prompt"),
        ("tools", {}, "tools"),
        ("tools", [5], "tools[0]"),
        ("tools", [{"type": "function"}], "tools[0].function"),
        ("tools", [{"type": "function", "function": {}}], "tools[0].function.name"),
        ("tools", [{"type": "retrieval"}], "tools[0].type"),
    ):
        assert error_of(client.post(CHAT, json=HELLO | {field: value}), 400)["param"] == param


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("Hello!", "messages"),
        ([5], "messages[0]"),
        ([{}], "messages[0].role"),
        ([{"role": "wizard", "content": "x"}], "messages[0].role"),
        ([{"role": 5, "content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "assistant", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": ["x"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "poem"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{}]}], "messages[0].content[0].type"),
        (
            [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}],
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}],
            "messages[0].tool_calls[0].function.name",
        ),
        (
            [{"role": "assistant", "tool_calls": [{}]}],
            "messages[0].tool_calls[0].function",
        ),
    ],
)
def test_messages_that_are_none(client: httpx.Client, messages: object, param: str) -> None:
    error = error_of(client.post(CHAT, json=HELLO | {"messages": messages}), 400)
    assert error["param"] == param


@pytest.mark.parametrize(
    ("kind", "said"), [("image_url", "image"), ("input_audio", "audio"), ("video_url", "video")]
)
def test_media_are_not_supported(client: httpx.Client, kind: str, said: str) -> None:
    messages = [{"role": "user", "content": [{"type": kind, kind: {"url": "data:,x"}}]}]
    error = error_of(client.post(CHAT, json=HELLO | {"messages": messages}), 400)
    assert error["message"].endswith(f"{said} input is not supported by this model")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("modalities", ["text", "audio"]),
        ("echo", True),
        ("suffix", "end"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    client: httpx.Client, field: str, value: object
) -> None:
    error = error_of(client.post(CHAT, json=HELLO | {field: value}), 400)
    assert error["param"] == field
    assert "not supported" in error["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 1),
        ("best_of", 1),
        ("logprobs", False),
        ("top_logprobs", 0),
        ("n_probs", 0),
        ("response_format", {"type": "text"}),
        ("tool_choice", "auto"),
        ("modalities", ["text"]),
    ],
)
def test_what_changes_nothing_is_accepted(client: httpx.Client, field: str, value: object) -> None:
    assert client.post(CHAT, json=HELLO | {field: value}).status_code == 200


@pytest.mark.parametrize("path", [TEXT, NATIVE])
@pytest.mark.parametrize(
    "prompt",
    [None, 5, True, {}, {"text": 5}, ["a", 1.5], [1, True], [1.0], [[1], []], [], "", ["a", ""]],
)
def test_a_prompt_that_is_none(client: httpx.Client, path: str, prompt: object) -> None:
    response = client.post(path, json={"prompt": prompt, "max_tokens": 1})
    assert error_of(response, 400)["param"] == "prompt"


@pytest.mark.parametrize("token", [-1, 10**6, 2**40, 2**64])
def test_a_token_that_is_not_in_the_vocabulary(client: httpx.Client, token: int) -> None:
    response = client.post(TEXT, json={"prompt": [1, token], "max_tokens": 1})
    assert error_of(response, 400)["param"] == "prompt"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_longer_than_the_context(client: httpx.Client, stream: bool) -> None:
    long = {"prompt": [5] * N_CTX, "max_tokens": 1, "stream": stream}
    error = error_of(client.post(TEXT, json=long), 400)
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (N_CTX, N_CTX)


def test_a_chat_longer_than_the_context(client: httpx.Client) -> None:
    messages = [{"role": "user", "content": "word " * N_CTX}]
    error = error_of(client.post(CHAT, json={"messages": messages}), 400)
    assert error["type"] == "exceed_context_size_error"
    assert error["param"] == "messages"
    assert error["n_prompt_tokens"] >= error["n_ctx"] == N_CTX


def test_a_body_of_20_megabytes(client: httpx.Client) -> None:
    messages = [{"role": "user", "content": "word " * 4_000_000}]
    error = error_of(client.post(CHAT, json={"messages": messages}), 400)
    assert error["type"] == "exceed_context_size_error"
    ids = client.post(TEXT, json={"prompt": [7] * 5_000_000})
    assert error_of(ids, 400)["n_prompt_tokens"] == 5_000_000
    assert client.get("/health").status_code == 200


def test_a_body_above_the_limit() -> None:
    with LiveServer(small_config(max_body=1000)) as server, server.client() as client:
        server.wait_ready()
        assert client.post(CHAT, json=HELLO).status_code == 200
        big = HELLO | {"user": "x" * 1000}
        error_of(client.post(CHAT, json=big), 413)


def test_an_unknown_route(client: httpx.Client) -> None:
    for method in ("GET", "POST"):
        error = error_of(client.request(method, "/v1/nowhere"), 404)
        assert error["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", CHAT, "POST"), ("DELETE", TEXT, "POST"), ("POST", "/v1/models", "GET")],
)
def test_a_wrong_method(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    error_of(response, 405)
    assert response.headers["allow"] == allowed


def test_a_connection_survives_an_error(server: LiveServer) -> None:
    with server.client() as client:
        error_of(client.post(CHAT, content=b"nonsense"), 400)
        assert client.post(CHAT, json=HELLO).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_biases_that_leave_no_token(server: LiveServer, client: httpx.Client, stream: bool) -> None:
    banned = [[token, False] for token in range(server.service.engine.model.n_vocab)]
    body = {"prompt": "x", "logit_bias": banned, "stream": stream}
    error = error_of(client.post(TEXT, json=body), 400)
    assert error["param"] == "logit_bias"
    assert "no token" in error["message"]
