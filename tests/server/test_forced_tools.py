"""Calls that have to be made, and arguments that have to keep to a schema."""

from __future__ import annotations

import json
from typing import Any

import httpx
import jsonschema
import pytest

from llamabox.server import schema_tools
from llamabox.server.schema_fields import Fields
from llamabox.server.schema_tools import read_tools
from tests.server.sse_reader import events
from tests.server.test_tools import ADD, GREEDY, HELLO, PARIS, PATH, WEATHER, ask

NAMED = {"type": "function", "function": {"name": "get_weather"}}
OSLO: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Oslo", "Bergen"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
FORCED = {"messages": HELLO, "tools": [WEATHER, ADD]}


def calls_of(choice: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and arguments; arguments of tools that were offered keep to their schemas."""
    found = []
    for call in choice["message"]["tool_calls"]:
        function = call["function"]
        arguments = json.loads(function["arguments"])
        schemas = {tool["function"]["name"]: tool["function"] for tool in (WEATHER, ADD)}
        jsonschema.validate(arguments, schemas[function["name"]]["parameters"])
        found.append((function["name"], arguments))
    return found


@pytest.mark.parametrize("choice", [NAMED, {"type": "function", "name": "get_weather"}])
def test_a_named_tool_is_called(client: httpx.Client, choice: dict[str, Any]) -> None:
    reply = ask(client, **FORCED, tool_choice=choice, parallel_tool_calls=False)["choices"][0]
    assert reply["finish_reason"] == "tool_calls"
    assert reply["message"]["content"] is None
    ((name, _),) = calls_of(reply)
    assert name == "get_weather"


@pytest.mark.parametrize("seed", range(4))
def test_required_calls_some_tool(client: httpx.Client, seed: int) -> None:
    asked = {"tool_choice": "required", "temperature": 1, "seed": seed}
    reply = ask(client, **FORCED, **asked)["choices"][0]
    assert reply["message"]["content"] is None
    if reply["finish_reason"] == "tool_calls":
        assert {name for name, _ in calls_of(reply)} <= {"get_weather", "add"}
    else:
        assert reply["finish_reason"] == "length"


def test_a_forced_call_is_streamed(client: httpx.Client) -> None:
    asked = GREEDY | FORCED | {"tool_choice": NAMED, "parallel_tool_calls": False}
    *chunks, _ = events(client, PATH, asked)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    (start, *more) = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert start["function"] == {"name": "get_weather", "arguments": ""}
    json.loads("".join(call["function"]["arguments"] for call in more))
    assert not any(delta.get("content") for delta in deltas)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_function_of_the_old_form_is_forced(client: httpx.Client) -> None:
    functions = [ADD["function"], WEATHER["function"]]
    asked = {"tools": None, "functions": functions, "function_call": {"name": "get_weather"}}
    reply = ask(client, messages=HELLO, **asked)["choices"][0]
    assert reply["finish_reason"] == "function_call"
    assert reply["message"]["function_call"]["name"] == "get_weather"


def test_only_allowed_tools_are_called(client: httpx.Client) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "add"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    reply = ask(client, tools=[WEATHER, ADD], tool_choice=choice, parallel_tool_calls=False)
    ((name, _),) = calls_of(reply["choices"][0])
    assert name == "add"


def test_strict_arguments_keep_to_the_schema(client: httpx.Client) -> None:
    """Without it, the model calls the tool with the city that it was asked for."""
    (call,) = ask(client, tools=[OSLO])["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"])["city"] in {"Oslo", "Bergen"}


def test_strict_tools_leave_the_text_free(client: httpx.Client) -> None:
    strict = ask(client, messages=HELLO, tools=[OSLO])["choices"][0]
    assert strict["finish_reason"] == "stop"
    assert strict["message"]["content"].startswith("I am")


def test_a_response_format_is_for_the_answer(client: httpx.Client) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}},
        "required": ["name"],
        "additionalProperties": False,
    }
    asked_format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert ask(client, response_format=asked_format)["choices"][0]["finish_reason"] == "tool_calls"
    hot = {"temperature": 1.5, "top_k": 0, "top_p": 1, "min_p": 0, "messages": HELLO}
    replies = [
        ask(client, response_format=asked_format, seed=seed, **hot)["choices"][0]
        for seed in range(4)
    ]
    answers = [reply for reply in replies if reply["finish_reason"] == "stop"]
    assert answers, "all of these call a tool, or do not end"
    for answer in answers:
        jsonschema.validate(json.loads(answer["message"]["content"]), schema)


@pytest.mark.parametrize("tool_choice", ["required", NAMED])
def test_a_wrong_schema_is_refused(client: httpx.Client, tool_choice: Any) -> None:
    wrong = {"type": "function", "function": {**WEATHER["function"], "parameters": {"type": "x"}}}
    body = GREEDY | {"messages": PARIS, "tools": [wrong], "tool_choice": tool_choice}
    response = client.post(PATH, json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == "tools"


@pytest.mark.parametrize("schema", [{"type": "poem"}, {"items": False, "properties": 3}, False])
def test_a_wrong_response_format_is_refused_by_name(client: httpx.Client, schema: Any) -> None:
    asked_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = GREEDY | FORCED | {"tool_choice": "auto", "response_format": asked_format}
    response = client.post(PATH, json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"].startswith("response_format")


def test_a_grammar_goes_with_no_tools(client: httpx.Client) -> None:
    body = GREEDY | FORCED | {"tool_choice": "required", "grammar": 'root ::= "x"'}
    response = client.post(PATH, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "grammar"


def test_allowed_tools_are_looked_up_in_one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = [{"type": "function", "function": {"name": f"t{i}"}} for i in range(200)]
    choice = {"type": "allowed_tools", "mode": "required", "tools": tools[100:]}
    names_of, seen = schema_tools._names, []

    def names(given: list[Any]) -> set[str]:
        seen.append(len(given))
        return names_of(given)

    monkeypatch.setattr(schema_tools, "_names", names)
    found = read_tools(Fields({"tools": tools, "tool_choice": choice}))
    assert (found.tools, found.choice) == (tools[100:], "required")
    assert seen == [200]
