"""Fields that say when an output ends, and on what: their effect over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.server.request_fields import ALL, CHAT, MESSAGES, NATIVE, TEXT
from tests.server.sse_reader import events
from tests.server.test_bad_input import error_of

GREEDY = {"temperature": 0, "max_tokens": 200}


def n_output(client: httpx.Client, route: str, **more: Any) -> int:
    prompt = {"messages": MESSAGES} if route == CHAT else {"prompt": "Once upon a time"}
    response = client.post(route, json={**GREEDY, **prompt, **more})
    assert response.status_code == 200, response.text
    return response.json()["timings"]["predicted_n"]


@pytest.mark.parametrize("route", ALL)
def test_an_output_has_a_least_length(client: httpx.Client, route: str) -> None:
    first = n_output(client, route, stop=["e", "a", "o"])
    assert first < 30
    assert n_output(client, route, stop=["e", "a", "o"], min_tokens=30) >= 30


def test_a_time_limit_waits_for_the_end_of_a_line(client: httpx.Client) -> None:
    lines = {"ignore_eos": True, "logit_bias": [["\n", 50]], "repeat_penalty": 1}
    assert n_output(client, NATIVE, t_max_predict_ms=1, **lines) < 200
    never = {"ignore_eos": True, "logit_bias": [["\n", False], ["\n\n", False], ["!", 100]]}
    assert n_output(client, NATIVE, t_max_predict_ms=1, **never) == 200


@pytest.mark.parametrize("n", [1, 2])
def test_a_native_reply_tells_its_slot(client: httpx.Client, n: int) -> None:
    body = {"prompt": "Once upon a time", "n_predict": 4, "n": n, "ignore_eos": True}
    whole = client.post(NATIVE, json=body).json()
    outputs = whole if n > 1 else [whole]
    assert {output["id_slot"] for output in outputs} <= set(range(4))
    *parts, last = events(client, NATIVE, body | {"return_progress": True})
    slots: dict[int, set[int]] = {}
    for part in (*parts, last):
        slots.setdefault(part["index"], set()).add(part["id_slot"])
    assert len(slots) == n
    assert all(len(told) == 1 and told <= set(range(4)) for told in slots.values()), slots


def test_any_slot_may_be_preferred(client: httpx.Client) -> None:
    for slot in (0, 3):
        reply = client.post(NATIVE, json={"prompt": "x", "id_slot": slot, "n_predict": 2})
        assert reply.json()["id_slot"] == slot
    assert n_output(client, NATIVE, id_slot=-1, max_tokens=2) == 2


@pytest.mark.parametrize("route", ALL)
def test_a_slot_has_to_be_there(client: httpx.Client, route: str) -> None:
    body = {"messages": MESSAGES, "prompt": "x", "id_slot": 99}
    del body["prompt" if route == CHAT else "messages"]
    error = error_of(client.post(route, json=body), 400)
    assert error["param"] == "id_slot"
    assert error["message"].startswith("id_slot: 99 is not within")


@pytest.mark.parametrize("route", ALL)
def test_an_adapter_has_to_be_there(client: httpx.Client, route: str) -> None:
    body = {"messages": MESSAGES, "prompt": "x", "lora": [{"id": 0, "scale": 1}]}
    del body["prompt" if route == CHAT else "messages"]
    assert error_of(client.post(route, json=body), 400)["param"] == "lora"


@pytest.mark.parametrize(
    "lora",
    [
        {},
        [1],
        [{"scale": 1}],
        [{"id": -1, "scale": 1}],
        [{"id": 0}],
        [{"id": 0, "scale": "x"}],
        [{"id": 0, "scale": 1}] * 2,
    ],
)
def test_adapters_that_are_none(client: httpx.Client, lora: Any) -> None:
    response = client.post(TEXT, json={"prompt": "x", "lora": lora})
    assert error_of(response, 400)["param"].startswith("lora")


@pytest.mark.parametrize("route", ALL)
def test_a_stop_string_is_held_back_whole(client: httpx.Client, route: str) -> None:
    prompt = {"messages": MESSAGES} if route == CHAT else {"prompt": "Once upon a time"}
    body = {**prompt, "temperature": 0, "max_tokens": 40, "ignore_eos": True}

    def streamed(**more: Any) -> str:
        parts = [event for event in events(client, route, body | more) if event != "[DONE]"]
        return "".join(text_of(route, part) for part in parts)

    plain = streamed()
    for start, length in ((3, 9), (8, 15), (14, 2)):
        stop = plain[start : start + length]
        assert len(stop) == length
        said = streamed(stop=["never said", stop, "\x00" * 300])
        assert said == plain[: plain.index(stop)]
        assert streamed(stop=stop + "\x00") == plain


def text_of(route: str, part: Any) -> str:
    """What an event adds to the text."""
    if route == NATIVE:
        return part["content"]
    if not part["choices"]:
        return ""
    choice = part["choices"][0]
    return choice["delta"].get("content") or "" if route == CHAT else choice["text"]
