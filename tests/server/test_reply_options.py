"""What a reply tells beside the text, if it is asked to."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llamabox.server.reply_fields import selected
from tests.server.request_fields import ALL, CHAT, MESSAGES, NATIVE, TEXT
from tests.server.sse_reader import events

GREEDY = {
    "messages": MESSAGES,
    "prompt": "Once upon a time",
    "temperature": 0,
    "max_tokens": 6,
    "ignore_eos": True,
}
TYPES = {CHAT: ChatCompletion, TEXT: Completion}
CHUNKS = {CHAT: ChatCompletionChunk, TEXT: Completion}


def body_for(route: str, **more: Any) -> dict[str, Any]:
    unwanted = "prompt" if route == CHAT else "messages"
    return {name: value for name, value in (GREEDY | more).items() if name != unwanted}


def ask(client: httpx.Client, route: str, **more: Any) -> Any:
    response = client.post(route, json=body_for(route, **more))
    assert response.status_code == 200, response.text
    return response.json()


def stream(client: httpx.Client, route: str, **more: Any) -> list[Any]:
    return [event for event in events(client, route, body_for(route, **more)) if event != "[DONE]"]


def with_tokens(route: str, event: Any) -> Any:
    """Where an event has the ids."""
    return event if route == NATIVE else event["choices"][0]


@pytest.mark.parametrize("route", ALL)
def test_ids_of_the_tokens(client: httpx.Client, route: str) -> None:
    whole = with_tokens(route, ask(client, route, return_tokens=True))["tokens"]
    assert len(whole) == 6
    parts = stream(client, route, return_tokens=True)
    streamed = [token for part in parts for token in with_tokens(route, part).get("tokens", [])]
    assert streamed == whole
    said = client.post("/detokenize", json={"tokens": whole}).json()["content"]
    reply = ask(client, route)
    text = {CHAT: lambda: reply["choices"][0]["message"]["content"]}.get(
        route, lambda: reply["content"] if route == NATIVE else reply["choices"][0]["text"]
    )()
    assert said == text


def test_no_ids_without(client: httpx.Client) -> None:
    assert ask(client, NATIVE)["tokens"] == []
    assert {str(part["tokens"]) for part in stream(client, NATIVE)} == {"[]"}
    assert "tokens" not in ask(client, TEXT)["choices"][0]


@pytest.mark.parametrize("route", ALL)
def test_timings_of_each_event(client: httpx.Client, route: str) -> None:
    parts = stream(client, route, timings_per_token=True)
    told = [part["timings"]["predicted_n"] for part in parts if "timings" in part]
    assert len(told) >= len(parts) - 1
    assert told == sorted(told)
    assert told[0] >= 1
    assert told[-1] == 6
    assert sum("timings" in part for part in stream(client, route)) == 1


@pytest.mark.parametrize("logprobs", [False, True])
@pytest.mark.parametrize("route", ALL)
def test_all_at_once(client: httpx.Client, route: str, logprobs: bool) -> None:
    more = {"return_tokens": True, "timings_per_token": True, "n": 2, "echo": route != CHAT}
    if logprobs:
        more |= {"n_probs": 2, "echo": False}
    parts = stream(client, route, **more)
    for index in (0, 1):
        own = [part for part in parts if with_tokens(route, part)["index"] == index]
        ids = [token for part in own for token in with_tokens(route, part).get("tokens", [])]
        assert len(ids) == 6


def test_fields_of_a_native_reply(client: httpx.Client) -> None:
    paths = ["content", "generation_settings/n_predict", "timings/nothing", "content/x", "no"]
    found = ask(client, NATIVE, response_fields=paths)
    assert set(found) == {"content", "generation_settings/n_predict"}
    assert found["generation_settings/n_predict"] == 6
    assert len(ask(client, NATIVE, response_fields=paths, n=2)) == 2
    *parts, last = stream(client, NATIVE, response_fields=paths)
    assert last == {"content": "", "generation_settings/n_predict": 6}
    assert all("stop" in part for part in parts)


def test_fields_of_a_body() -> None:
    body = {"a": {"b": None, "c": [1]}, "d": 2}
    assert selected(body, []) is body
    assert selected(body, ["a/b", "a/x", "d/e", "a/c/0"]) == {"a/b": None}
    assert selected([body], ["d"]) == [{"d": 2}]


def test_native_settings_can_be_sent_back(client: httpx.Client) -> None:
    asked = {"top_k": 7, "stop": ["\u0001"], "samplers": "kt", "logit_bias": {"5": False, "6": 2}}
    settings = ask(client, NATIVE, **asked)["generation_settings"]
    assert (settings["top_k"], settings["max_tokens"], settings["n_predict"]) == (7, 6, 6)
    assert settings["samplers"] == ["top_k", "temperature"]
    assert settings["logit_bias"] == [{"bias": None, "token": 5}, {"bias": 2.0, "token": 6}]
    assert {"seed", "typical_p", "repeat_last_n", "n_probs", "timings_per_token"} <= set(settings)
    del settings["logit_bias"]
    again = client.post(NATIVE, json=settings | {"prompt": GREEDY["prompt"]})
    assert "x-llamabox-warning" not in again.headers
    assert again.json()["generation_settings"] | {"logit_bias": 0} == settings | {"logit_bias": 0}


@pytest.mark.parametrize("more", [{}, {"n": 2}, {"return_tokens": True, "timings_per_token": True}])
@pytest.mark.parametrize("route", [CHAT, TEXT])
def test_replies_are_openais_to_the_letter(
    client: httpx.Client, route: str, more: dict[str, Any]
) -> None:
    logprobs = {"logprobs": True, "top_logprobs": 2} if route == CHAT else {"logprobs": 2}
    usage = {"stream_options": {"include_usage": True}}
    for settings in (more, more | logprobs):
        TYPES[route].model_validate(ask(client, route, **settings), strict=True)
        for chunk in stream(client, route, **settings, **usage):
            if route == TEXT:
                # The type does not know what the API itself sends: null before the end.
                chunk["choices"] = [
                    choice | {"finish_reason": choice["finish_reason"] or "stop"}
                    for choice in chunk["choices"]
                ]
            CHUNKS[route].model_validate(chunk, strict=True)


def test_a_text_can_be_banned_and_favoured(client: httpx.Client) -> None:
    said = ask(client, NATIVE, max_tokens=1, return_tokens=True)
    text, token = said["content"], said["tokens"][0]
    for bias in ({text: False}, [[text, -100]], {str(token): False}):
        other = ask(client, NATIVE, max_tokens=1, logit_bias=bias)
        assert other["content"] != text
    favoured = ask(client, NATIVE, max_tokens=3, logit_bias=[["!", 100]])
    assert set(favoured["content"]) == {"!"}


def test_a_banned_token_never_comes(client: httpx.Client) -> None:
    first = ask(client, NATIVE, max_tokens=1)["content"]
    every_start = {str(token): False for token in range(2000) if token != 1}
    other = ask(client, NATIVE, logit_bias=every_start, max_tokens=1)
    assert other["content"] != first


def test_probabilities_add_up(client: httpx.Client) -> None:
    told = ask(client, NATIVE, n_probs=5, post_sampling_probs=True, temperature=1, top_k=3)
    for entry in told["completion_probabilities"]:
        assert math.fsum(top["prob"] for top in entry["top_probs"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("route", ALL)
def test_progress_of_the_prompt(client: httpx.Client, route: str) -> None:
    said = "again and again, " * 150
    body = body_for(route, cache_prompt=False, return_progress=True)
    body |= {"messages": [{"role": "user", "content": said}]} if route == CHAT else {"prompt": said}
    parts = [event for event in events(client, route, body) if event != "[DONE]"]
    told = [part["prompt_progress"] for part in parts if "prompt_progress" in part]
    assert told
    assert {progress["cache"] for progress in told} == {0}
    processed = [progress["processed"] for progress in told]
    assert processed == sorted(set(processed))
    assert 0 < processed[-1] <= told[-1]["total"]
    assert all(progress["time_ms"] >= 0 for progress in told)
    del body["return_progress"]
    assert "prompt_progress" not in str(events(client, route, body))
