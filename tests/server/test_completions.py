"""Text completions in OpenAI's dialect and in llama-server's."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from tests.server.sse_reader import events

OPENAI = "/v1/completions"
NATIVE = "/completion"
GREEDY = {"prompt": "Once upon a time", "temperature": 0, "max_tokens": 16}


def ask(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    response = client.post(path, json=GREEDY | body)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_whole_reply_has_openais_shape(client: httpx.Client) -> None:
    reply = ask(client, OPENAI)
    assert reply["id"].startswith("cmpl-")
    assert reply["object"] == "text_completion"
    (choice,) = reply["choices"]
    assert choice["text"]
    assert choice["finish_reason"] in {"stop", "length"}
    assert choice["logprobs"] is None
    assert reply["usage"]["completion_tokens"] == reply["timings"]["predicted_n"] > 0


def test_a_stream_has_openais_shape(client: httpx.Client) -> None:
    *chunks, summary, done = events(
        client, OPENAI, GREEDY | {"stream_options": {"include_usage": True}}
    )
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * (
        len(chunks) - 1
    )
    assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}
    text = "".join(chunk["choices"][0]["text"] for chunk in chunks)
    assert text == ask(client, OPENAI)["choices"][0]["text"]
    assert summary["choices"] == []
    assert summary["usage"]["total_tokens"] > 0


def test_a_prompt_may_be_token_ids(client: httpx.Client) -> None:
    reply = ask(client, OPENAI, prompt=[5, 6, 7])
    assert reply["usage"]["prompt_tokens"] == 3


def test_the_openai_client_completes(openai_client: openai.OpenAI) -> None:
    reply = openai_client.completions.create(model="pocket", prompt="Once", max_tokens=8)
    assert reply.choices[0].text
    stream = openai_client.completions.create(
        model="pocket", prompt="Once", max_tokens=8, stream=True
    )
    assert [chunk.choices[0].finish_reason for chunk in stream][-1] in {"stop", "length"}


def test_a_native_reply_has_llama_servers_shape(client: httpx.Client) -> None:
    reply = ask(client, NATIVE, n_predict=8, max_tokens=None, ignore_eos=True)
    assert reply["content"]
    assert reply["stop"] is True
    assert reply["stop_type"] == "limit"
    assert reply["stopping_word"] == ""
    assert reply["tokens_predicted"] == 8
    assert reply["tokens_evaluated"] > 0
    assert reply["prompt"] == GREEDY["prompt"]
    assert reply["generation_settings"]["n_predict"] == 8
    assert reply["truncated"] is False
    assert reply["has_new_line"] == ("\n" in reply["content"])
    assert reply["timings"]["predicted_n"] == 8


def test_a_native_reply_names_the_stop_string(client: httpx.Client) -> None:
    text = ask(client, NATIVE)["content"]
    stop = text[4:7]
    reply = ask(client, NATIVE, stop=[stop])
    assert reply["content"] == text[: text.index(stop)]
    assert (reply["stop_type"], reply["stopping_word"]) == ("word", stop)


def test_a_native_stream_has_no_done(client: httpx.Client) -> None:
    *parts, last = events(client, NATIVE, GREEDY | {"ignore_eos": True})
    assert all(part["stop"] is False and part["content"] for part in parts)
    counts = [part["tokens_predicted"] for part in parts]
    assert counts == sorted(counts)
    assert last["stop"] is True
    assert last["content"] == ""
    assert last["tokens_predicted"] == 16
    text = "".join(part["content"] for part in parts)
    assert text == ask(client, NATIVE, ignore_eos=True)["content"]


@pytest.mark.parametrize("path", [OPENAI, NATIVE])
def test_no_tokens_compute_the_prompt_only(client: httpx.Client, path: str) -> None:
    reply = ask(client, path, max_tokens=0)
    assert reply["timings"]["predicted_n"] == 0
    assert reply["timings"]["prompt_n"] + reply["timings"]["cache_n"] > 0


def test_the_priority_header_must_be_an_integer_in_range(client: httpx.Client) -> None:
    body = {"prompt": "hello", "max_tokens": 1}
    for value, status in (("3", 200), ("-2", 200), ("soon", 400), ("99999", 400)):
        reply = client.post("/v1/completions", json=body, headers={"X-Request-Priority": value})
        assert reply.status_code == status
        if status == 400:
            error = reply.json()["error"]
            assert error["param"] == "X-Request-Priority"
            assert error["message"].startswith("X-Request-Priority: ")


def test_a_deadline_ends_with_length(client: httpx.Client) -> None:
    body = {"prompt": "hello", "max_tokens": -1, "ignore_eos": True, "deadline": 0.02}
    reply = client.post("/v1/completions", json=body)
    assert reply.json()["choices"][0]["finish_reason"] == "length"
