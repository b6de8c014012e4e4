"""Chat completions with the packaged model: shapes, settings, the openai package as client."""

from __future__ import annotations

import math
from typing import Any

import httpx
import openai
import pytest

from llamabox import GenerationParams
from llamabox.server.schema import read_chat
from tests.server.sse_reader import events

PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello!"}]
GREEDY = {"messages": MESSAGES, "temperature": 0, "max_tokens": 24}


def ask(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json=GREEDY | body)
    assert response.status_code == 200, response.text
    return response.json()


def text_of(chunks: list[Any]) -> str:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def test_a_whole_reply_has_openais_shape(client: httpx.Client) -> None:
    reply = ask(client)
    assert reply["id"].startswith("chatcmpl-")
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "pocket"
    assert reply["system_fingerprint"].startswith("llamabox-")
    assert isinstance(reply["created"], int)
    (choice,) = reply["choices"]
    assert choice["index"] == 0
    assert choice["finish_reason"] in {"stop", "length"}
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"].strip()


def test_the_answer_ends_by_itself(client: httpx.Client) -> None:
    reply = ask(client, max_tokens=200)
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert 0 < reply["usage"]["completion_tokens"] < 200


def test_usage_adds_up(client: httpx.Client) -> None:
    usage = ask(client)["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens_details"] == {
        "reasoning_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    speeds = ("time_to_first_token_ms", "time_per_output_token_ms", "tokens_per_second")
    assert all(usage[name] > 0 for name in (*speeds, "prompt_tokens_per_second"))
    assert (usage["draft_tokens"], usage["draft_tokens_acceptance"]) == (0, 0.0)


def test_a_repeated_prompt_is_counted_as_cached(client: httpx.Client) -> None:
    ask(client)
    usage = ask(client)["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert 0 < cached <= usage["prompt_tokens"]


@pytest.mark.parametrize("max_tokens", [0, 1, 2, 8])
def test_timings_are_numbers(client: httpx.Client, max_tokens: int) -> None:
    reply = ask(client, max_tokens=max_tokens, ignore_eos=True)
    timings = reply["timings"]
    assert set(timings) == {
        "cache_n",
        "prompt_n",
        "prompt_ms",
        "prompt_per_token_ms",
        "prompt_per_second",
        "predicted_n",
        "predicted_ms",
        "predicted_per_token_ms",
        "predicted_per_second",
    }
    assert all(math.isfinite(value) and value >= 0 for value in timings.values())
    assert timings["predicted_n"] == max_tokens
    assert timings["cache_n"] + timings["prompt_n"] == reply["usage"]["prompt_tokens"]
    assert (timings["predicted_per_second"] > 0) == (max_tokens > 1)
    assert timings["prompt_n"] > 0
    assert timings["prompt_ms"] > 0
    assert timings["prompt_per_second"] > 0


def test_a_stream_has_openais_shape(client: httpx.Client) -> None:
    *chunks, done = events(client, PATH, GREEDY)
    assert done == "[DONE]"
    first, *middle, last = chunks
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert middle
    for chunk in middle:
        assert list(chunk["choices"][0]["delta"]) == ["content"]
        assert chunk["choices"][0]["delta"]["content"]
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in [first, *middle])
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["finish_reason"] in {"stop", "length"}
    assert last["timings"]["predicted_n"] > 0
    assert all("usage" not in chunk for chunk in chunks)


def test_a_stream_says_what_the_whole_reply_says(client: httpx.Client) -> None:
    *chunks, _ = events(client, PATH, GREEDY)
    assert text_of(chunks) == ask(client)["choices"][0]["message"]["content"]


def test_include_usage_adds_a_last_chunk(client: httpx.Client) -> None:
    options = {"stream_options": {"include_usage": True}}
    *chunks, summary, done = events(client, PATH, GREEDY | options)
    assert done == "[DONE]"
    assert all(chunk["usage"] is None for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}
    assert summary["choices"] == []
    assert summary["usage"]["completion_tokens"] == summary["timings"]["predicted_n"] > 0


def test_no_tokens_are_a_complete_answer(client: httpx.Client) -> None:
    reply = ask(client, max_tokens=0)
    assert reply["choices"][0]["message"]["content"] == ""
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 0


def test_no_tokens_are_a_complete_stream(client: httpx.Client) -> None:
    role, last, done = events(client, PATH, GREEDY | {"max_tokens": 0})
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == "length"
    assert done == "[DONE]"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "n_predict"])
def test_the_limit_has_three_names(client: httpx.Client, field: str) -> None:
    body = {"messages": MESSAGES, "temperature": 0, "ignore_eos": True, field: 5}
    reply = client.post(PATH, json=body).json()
    assert reply["usage"]["completion_tokens"] == 5
    assert reply["choices"][0]["finish_reason"] == "length"


def test_minus_one_is_no_limit(client: httpx.Client) -> None:
    reply = ask(client, max_tokens=-1)
    assert reply["choices"][0]["finish_reason"] == "stop"


def test_a_stop_string_ends_the_text_before_it(client: httpx.Client) -> None:
    text = ask(client)["choices"][0]["message"]["content"]
    stop = text[3:6]
    for given in (stop, [stop], ["never to be seen", stop]):
        reply = ask(client, stop=given)
        assert reply["choices"][0]["message"]["content"] == text[: text.index(stop)]
        assert reply["choices"][0]["finish_reason"] == "stop"


def test_a_seed_repeats_the_answer(client: httpx.Client) -> None:
    hot = {"temperature": 1.5, "min_p": 0, "top_p": 1, "top_k": 0, "max_tokens": 32}
    texts = [
        ask(client, **hot, seed=seed)["choices"][0]["message"]["content"] for seed in (7, 7, 8)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_null_is_the_same_as_absent(client: httpx.Client) -> None:
    fields = ("top_p", "stop", "tools", "stream", "stream_options", "n", "logprobs", "seed")
    reply = ask(client, **dict.fromkeys(fields))
    assert reply["choices"] == ask(client)["choices"]


def test_unknown_fields_of_openai_are_ignored(client: httpx.Client) -> None:
    reply = ask(client, user="me", metadata={"a": "b"}, store=False, service_tier="auto")
    assert reply["choices"] == ask(client)["choices"]


def test_a_whole_number_may_be_written_as_a_float(client: httpx.Client) -> None:
    assert ask(client, max_tokens=3.0, ignore_eos=True)["usage"]["completion_tokens"] == 3


def test_text_parts_are_joined(client: httpx.Client) -> None:
    parts = [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there!"}]
    joined = ask(client, messages=[{"role": "user", "content": "Hello\nthere!"}])
    assert (
        ask(client, messages=[{"role": "user", "content": parts}])["choices"] == joined["choices"]
    )


def test_a_developer_is_the_system(client: httpx.Client) -> None:
    replies = [
        ask(client, messages=[{"role": role, "content": "Be brief."}, *MESSAGES])
        for role in ("developer", "system")
    ]
    assert replies[0]["usage"]["prompt_tokens"] == replies[1]["usage"]["prompt_tokens"]
    assert replies[0]["choices"] == replies[1]["choices"]


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    },
}


def test_tools_are_part_of_the_prompt(client: httpx.Client) -> None:
    plain = ask(client)["usage"]["prompt_tokens"]
    assert ask(client, tools=[TOOL])["usage"]["prompt_tokens"] > plain
    assert ask(client, tools=[TOOL], tool_choice="none")["usage"]["prompt_tokens"] == plain


def test_a_message_begins_with_its_role_and_its_content() -> None:
    """Templates may show a message as JSON."""
    message = {"name": "Ann", "reasoning": "why", "content": "hello", "role": "user"}
    body = {"messages": [message]}
    (read,) = read_chat(body, GenerationParams()).messages
    assert list(read) == ["role", "content", "name", "reasoning"]


def test_a_tool_call_and_its_result_are_part_of_the_prompt(client: httpx.Client) -> None:
    function = {"name": "get_weather", "arguments": '{"town": "Paris"}'}
    call = {"id": "call-1", "type": "function", "function": function}
    history = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call-1", "content": '{"sky": "blue"}'},
    ]
    reply = ask(client, messages=history, tools=[TOOL])
    assert reply["usage"]["prompt_tokens"] > ask(client, tools=[TOOL])["usage"]["prompt_tokens"]


def test_the_openai_client_gets_a_whole_reply(openai_client: openai.OpenAI) -> None:
    reply = openai_client.chat.completions.create(
        model="pocket", messages=MESSAGES, temperature=0, max_tokens=24
    )
    assert reply.choices[0].message.content
    assert reply.usage is not None
    assert reply.usage.completion_tokens > 0


def test_the_openai_client_streams(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="pocket",
        messages=MESSAGES,
        temperature=0,
        max_tokens=24,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text.strip()
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_the_openai_client_sees_typed_errors(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(model="pocket", messages=MESSAGES, max_tokens=-5)
    assert caught.value.param == "max_tokens"
