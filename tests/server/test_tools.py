"""Tools: the packaged model calls them and answers from their results, through OpenAI's client."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.server.sse_reader import events

PATH = "/v1/chat/completions"
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
PARIS = [{"role": "user", "content": "What is the weather in Paris?"}]
TWO_CITIES = [
    {"role": "user", "content": "What is the weather in Paris? What is the weather in Rome?"}
]
HELLO = [{"role": "user", "content": "Hello! Who are you?"}]
GREEDY = {"model": "pocket", "temperature": 0, "max_tokens": 120}


def ask(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json=GREEDY | {"messages": PARIS, "tools": [WEATHER]} | body)
    assert response.status_code == 200, response.text
    return response.json()


def chunks_of(client: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    asked = GREEDY | {"messages": PARIS, "tools": [WEATHER], "stream": True} | body
    *chunks, done = events(client, PATH, asked)
    assert done == "[DONE]"
    return chunks


def answered(client: openai.OpenAI, messages: list[Any], result: dict[str, Any]) -> str:
    """The answer of the model after the call of its last turn got this result."""
    call = messages[-1].tool_calls[0]
    result_message = {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}
    reply = client.chat.completions.create(
        messages=[*messages, result_message], tools=[WEATHER], **GREEDY
    )
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].message.tool_calls is None
    return reply.choices[0].message.content or ""


def test_the_model_calls_a_tool_and_answers_from_its_result(openai_client: openai.OpenAI) -> None:
    reply = openai_client.chat.completions.create(messages=PARIS, tools=[WEATHER, ADD], **GREEDY)
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls or ()
    assert call.type == "function"
    assert call.id.startswith("call_")
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    answer = answered(openai_client, [*PARIS, choice.message], {"degrees": 12, "sky": "foggy"})
    assert "12 degrees" in answer
    assert "foggy" in answer


def test_it_does_so_in_streams(openai_client: openai.OpenAI) -> None:
    with openai_client.chat.completions.stream(
        messages=PARIS, tools=[WEATHER, ADD], **GREEDY
    ) as stream:
        seen = list(stream)
        final = stream.get_final_completion()
    kinds = [event.type for event in seen]
    assert "tool_calls.function.arguments.delta" in kinds
    assert "tool_calls.function.arguments.done" in kinds
    assert "content.delta" not in kinds
    (choice,) = final.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls or ()
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Paris"},
    )
    result = {
        "role": "tool",
        "tool_call_id": call.id,
        "content": json.dumps({"degrees": 12, "sky": "foggy"}),
    }
    history = [*PARIS, choice.message.model_dump(exclude_none=True, exclude={"parsed"}), result]
    with openai_client.chat.completions.stream(
        messages=history, tools=[WEATHER], **GREEDY
    ) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        assert stream.get_final_completion().choices[0].message.content == text
    assert "12 degrees" in text


def test_deltas_have_the_name_first_and_then_fragments(client: httpx.Client) -> None:
    chunks = chunks_of(client)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": None}
    assert deltas[-1] == {}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    (start,) = deltas[1]["tool_calls"]
    assert start.pop("id").startswith("call_")
    function = {"name": "get_weather", "arguments": ""}
    assert start == {"index": 0, "type": "function", "function": function}
    fragments = [call for delta in deltas[2:-1] for call in delta["tool_calls"]]
    assert all(set(call) == {"index", "function"} for call in fragments)
    assert len(fragments) > 2
    joined = "".join(call["function"]["arguments"] for call in fragments)
    assert json.loads(joined) == {"city": "Paris"}


@pytest.mark.parametrize("stream", [False, True])
def test_several_calls_of_a_turn(openai_client: openai.OpenAI, stream: bool) -> None:
    with openai_client.chat.completions.stream(
        messages=TWO_CITIES, tools=[WEATHER], **GREEDY
    ) as streaming:
        calls = streaming.get_final_completion().choices[0].message.tool_calls
    if not stream:
        reply = openai_client.chat.completions.create(
            messages=TWO_CITIES, tools=[WEATHER], **GREEDY
        )
        calls = reply.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_without_parallel_calls_the_turn_ends_behind_the_first(
    client: httpx.Client, stream: bool
) -> None:
    asked = {"messages": TWO_CITIES, "parallel_tool_calls": False}
    both = ask(client, messages=TWO_CITIES)
    if stream:
        chunks = chunks_of(client, **asked)
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        assert {call["index"] for call in calls} == {0}
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    else:
        one = ask(client, **asked)
        assert one["choices"][0]["finish_reason"] == "tool_calls"
        (call,) = one["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
        assert one["usage"]["completion_tokens"] < both["usage"]["completion_tokens"]


@pytest.mark.parametrize("stream", [False, True])
def test_functions_are_tools_of_the_old_form(client: httpx.Client, stream: bool) -> None:
    asked = {"tools": None, "functions": [WEATHER["function"]], "function_call": "auto"}
    if stream:
        chunks = chunks_of(client, **asked)
        calls = [chunk["choices"][0]["delta"].get("function_call") for chunk in chunks]
        told = [call for call in calls if call]
        assert told[0] == {"name": "get_weather", "arguments": ""}
        assert json.loads("".join(call["arguments"] for call in told)) == {"city": "Paris"}
        assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"
        return
    choice = ask(client, **asked)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert "tool_calls" not in choice["message"]
    call = choice["message"]["function_call"]
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})


def test_a_turn_may_do_without_the_tools(client: httpx.Client) -> None:
    choice = ask(client, messages=HELLO)["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"].startswith("I am")
    assert "tool_calls" not in choice["message"]


def test_none_shows_the_model_no_tools(client: httpx.Client) -> None:
    without = ask(client, tools=None)
    assert ask(client, tool_choice="none")["choices"] == without["choices"]


def test_each_choice_has_calls_of_its_own(client: httpx.Client) -> None:
    choices = ask(client, n=3)["choices"]
    calls = [choice["message"]["tool_calls"][0] for choice in choices]
    assert len({call["id"] for call in calls}) == 3
    assert {call["function"]["arguments"] for call in calls} == {'{"city": "Paris"}'}
    joined = ["", "", ""]
    for chunk in chunks_of(client, n=3):
        choice = chunk["choices"][0]
        for call in choice["delta"].get("tool_calls", ()):
            joined[choice["index"]] += call["function"]["arguments"]
    assert joined == ['{"city": "Paris"}'] * 3


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_are_of_all_tokens(client: httpx.Client, stream: bool) -> None:
    asked = {"logprobs": True, "top_logprobs": 1}
    whole = ask(client, **asked)
    tokens = [entry["token"] for entry in whole["choices"][0]["logprobs"]["content"]]
    assert len(tokens) == whole["usage"]["completion_tokens"]
    if stream:
        told = [chunk["choices"][0]["logprobs"] for chunk in chunks_of(client, **asked)]
        streamed = [entry["token"] for part in told if part for entry in part["content"]]
        assert streamed == tokens


def test_a_call_that_is_cut_off_is_told_as_far_as_it_came(client: httpx.Client) -> None:
    n = ask(client)["usage"]["completion_tokens"]
    choice = ask(client, max_tokens=n - 6)["choices"][0]
    assert choice["finish_reason"] == "length"
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert '{"city": "Paris"}'.startswith(call["function"]["arguments"])


def test_a_stop_string_ends_a_call(client: httpx.Client) -> None:
    choice = ask(client, stop=["Par"])["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"city": "'


def test_a_broken_call_may_be_sent_back(client: httpx.Client) -> None:
    """As clients do that let the model repair it."""
    broken = ask(client, stop=["Par"])["choices"][0]["message"]
    (call,) = broken["tool_calls"]
    error = {"role": "tool", "tool_call_id": call["id"], "content": "the arguments are no JSON"}
    messages = [*PARIS, broken, error]
    body = {"messages": messages, "tools": [WEATHER]}
    prompt = client.post("/apply-template", json=body).json()["prompt"]
    assert call["function"]["arguments"] == '{"city": "'
    assert '"arguments": {"city": "}\n</tool_call>' in prompt
    assert ask(client, messages=messages)["choices"][0]["finish_reason"] in {"stop", "tool_calls"}


def test_a_client_that_leaves_in_a_call_costs_nobody_anything(client: httpx.Client) -> None:
    asked = GREEDY | {"messages": PARIS, "tools": [WEATHER], "stream": True}
    with client.stream("POST", PATH, json=asked) as response:
        next(response.iter_lines())
    assert ask(client)["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("tools[0].type", {"tools": [{"type": "custom", "custom": {"name": "x"}}]}),
        ("tools[0].function", {"tools": [{"type": "function"}]}),
        ("tools[0].function.name", {"tools": [{"type": "function", "function": {}}]}),
        ("tools[0].function.strict", {"tools": [{"function": {"name": "f", "strict": 1}}]}),
        ("tools", {"tools": [WEATHER, WEATHER]}),
        ("tools", {"tools": [{}] * 1025}),
        ("functions", {"tools": None, "functions": [{}] * 1025}),
        (
            "tool_choice.tools",
            {"tool_choice": {"type": "allowed_tools", "tools": [{"name": "x"}] * 1025}},
        ),
        ("tool_choice", {"tool_choice": "get_weather"}),
        ("tool_choice", {"tool_choice": "required", "tools": []}),
        ("tool_choice", {"tool_choice": 1}),
        ("tool_choice.type", {"tool_choice": {"type": "custom"}}),
        ("tool_choice.name", {"tool_choice": {"type": "function"}}),
        (
            "tool_choice.function.name",
            {"tool_choice": {"type": "function", "function": {"name": "rm"}}},
        ),
        (
            "tool_choice.allowed_tools.mode",
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "none",
                        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
                    },
                }
            },
        ),
        ("function_call.name", {"tools": None, "functions": [{"name": "f"}], "function_call": {}}),
        ("parallel_tool_calls", {"parallel_tool_calls": "no"}),
    ],
)
def test_wrong_fields_are_refused_by_name(
    client: httpx.Client, field: str, body: dict[str, Any]
) -> None:
    response = client.post(PATH, json=GREEDY | {"messages": PARIS, "tools": [WEATHER]} | body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == field
