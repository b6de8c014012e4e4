"""Reasoning over HTTP, with a template that opens it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from llamabox import ReasoningParams
from tests.api.test_thinking import OPENS
from tests.server.conftest import small_config
from tests.server.live import LiveServer
from tests.server.sse_reader import events

PATH = "/v1/chat/completions"
GREEDY = {
    "messages": [{"role": "user", "content": "Tell me a long story about a dog."}],
    "temperature": 0,
    "max_tokens": 40,
}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    config = small_config(chat_template=OPENS)
    with LiveServer(config) as live, live.wait_ready().client() as client:
        yield client


def ask(client: httpx.Client, **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The message of a reply and its usage; whole and streamed say the same."""
    response = client.post(PATH, json=GREEDY | body)
    assert response.status_code == 200, response.text
    reply = response.json()
    message, usage = reply["choices"][0]["message"], reply["usage"]
    options = {"stream_options": {"include_usage": True}}
    streamed: dict[str, str] = {}
    *chunks, done = events(client, PATH, GREEDY | body | options)
    assert done == "[DONE]"
    for chunk in chunks:
        for choice in chunk["choices"]:
            for name in ("reasoning_content", "content"):
                streamed[name] = streamed.get(name, "") + (choice["delta"].get(name) or "")
    assert streamed["content"] == (message["content"] or "")
    assert streamed["reasoning_content"] == message.get("reasoning_content", "")
    details = chunks[-1]["usage"]["completion_tokens_details"]
    assert details == usage["completion_tokens_details"]
    return message, usage


def n_reasoning(usage: dict[str, Any]) -> int:
    return usage["completion_tokens_details"]["reasoning_tokens"]


def test_what_never_ends_is_reasoning(client: httpx.Client) -> None:
    message, usage = ask(client)
    assert message["reasoning_content"]
    assert not message["content"]
    assert n_reasoning(usage) == usage["completion_tokens"] == 40


@pytest.mark.parametrize(
    "name", ["reasoning_budget", "reasoning_budget_tokens", "thinking_budget_tokens"]
)
def test_a_budget_ends_it(client: httpx.Client, name: str) -> None:
    unbounded, _ = ask(client)
    message, usage = ask(client, **{name: 5})
    assert unbounded["reasoning_content"].startswith(message["reasoning_content"])
    assert message["content"]
    assert "think>" not in message["content"] + message["reasoning_content"]
    assert 5 < n_reasoning(usage) < usage["completion_tokens"]


def test_text_comes_in_front_of_a_forced_end(client: httpx.Client) -> None:
    message, _ = ask(client, reasoning_budget=5, reasoning_budget_message="Enough.")
    assert message["reasoning_content"].endswith("\nEnough.")


@pytest.mark.parametrize(
    "body",
    [
        {"reasoning_budget": 0},
        {"reasoning_effort": "none"},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_a_request_can_have_none(client: httpx.Client, body: dict[str, Any]) -> None:
    message, usage = ask(client, **body)
    assert message["content"]
    assert "reasoning_content" not in message
    assert n_reasoning(usage) == 0


def test_the_format_says_where_it_is_told(client: httpx.Client) -> None:
    def words(text: str) -> str:
        return "".join(text.split())

    apart, _ = ask(client, reasoning_budget=5)
    text = words(f"{apart['reasoning_content']}</think>{apart['content']}")
    left, usage = ask(client, reasoning_budget=5, reasoning_format="none")
    assert words(left["content"]) == text
    assert "reasoning_content" not in left
    assert n_reasoning(usage) > 5
    both, _ = ask(client, reasoning_budget=5, reasoning_format="deepseek-legacy")
    assert words(both["content"]) == f"<think>{text}"
    assert both["reasoning_content"] == apart["reasoning_content"]


def test_a_schema_holds_behind_it(client: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    message, _ = ask(client, reasoning_budget=5, response_format=wanted, max_tokens=60)
    assert message["reasoning_content"]
    assert message["content"].startswith("{")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"reasoning_budget": "much"}, "reasoning_budget"),
        ({"reasoning_budget": -2}, "reasoning_budget"),
        ({"thinking_budget_tokens": 1.5}, "thinking_budget_tokens"),
        ({"reasoning_format": "prose"}, "reasoning_format"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"reasoning_budget_message": 3}, "reasoning_budget_message"),
        (
            {"chat_template_kwargs": {"enable_thinking": "no"}},
            "chat_template_kwargs.enable_thinking",
        ),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, body: dict[str, Any], param: str) -> None:
    response = client.post(PATH, json=GREEDY | body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_the_server_may_have_decided(model_client: httpx.Client) -> None:
    message, usage = ask(model_client)
    assert message["content"]
    assert n_reasoning(usage) == 0
    message, _ = ask(model_client, chat_template_kwargs={"enable_thinking": True})
    assert message["reasoning_content"]


@pytest.fixture(scope="module")
def model_client() -> Iterator[httpx.Client]:
    config = small_config(chat_template=OPENS, reasoning=ReasoningParams(enabled=False))
    with LiveServer(config) as live, live.wait_ready().client() as client:
        yield client
