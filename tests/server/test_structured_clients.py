"""Answers of a given structure, as the official client asks for them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.server.test_forced_tools import NAMED
from tests.server.test_tools import HELLO, PARIS

ASK = [{"role": "user", "content": "Paris is in France. Tell me the city and its country."}]
SETTINGS = {"model": "pocket", "temperature": 0, "max_tokens": 100}


class City(BaseModel):
    """A city."""

    name: str
    country: str


class GetWeather(BaseModel):
    """Get the weather in a city."""

    city: str


def test_a_reply_is_parsed(openai_client: openai.OpenAI) -> None:
    reply = openai_client.chat.completions.parse(messages=ASK, response_format=City, **SETTINGS)
    city = reply.choices[0].message.parsed
    assert isinstance(city, City)
    assert json.loads(reply.choices[0].message.content or "") == city.model_dump()


def test_a_stream_is_parsed(openai_client: openai.OpenAI) -> None:
    with openai_client.chat.completions.stream(
        messages=ASK, response_format=City, **SETTINGS
    ) as stream:
        snapshots = [event.parsed for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, City)
    assert any(isinstance(snapshot, dict) for snapshot in snapshots)


def test_arguments_of_a_tool_are_parsed(openai_client: openai.OpenAI) -> None:
    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    reply = openai_client.chat.completions.parse(messages=PARIS, tools=[tool], **SETTINGS)
    (call,) = reply.choices[0].message.tool_calls or ()
    assert isinstance(call.function.parsed_arguments, GetWeather)


@pytest.mark.parametrize("tool_choice", ["required", NAMED])
def test_a_forced_call_is_parsed(openai_client: openai.OpenAI, tool_choice: Any) -> None:
    """Though the model would rather say hello."""
    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    reply = openai_client.chat.completions.parse(
        messages=HELLO, tools=[tool], tool_choice=tool_choice, parallel_tool_calls=False, **SETTINGS
    )
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls or ()
    assert isinstance(call.function.parsed_arguments, GetWeather)


@pytest.mark.parametrize("logprobs", [False, True])
def test_a_streamed_call_is_parsed(openai_client: openai.OpenAI, logprobs: bool) -> None:
    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    asked = SETTINGS | {"messages": PARIS, "tools": [tool], "logprobs": logprobs}
    with openai_client.chat.completions.stream(**asked) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds
    assert final.choices[0].message.content is None
    (call,) = final.choices[0].message.tool_calls or ()
    assert isinstance(call.function.parsed_arguments, GetWeather)


def test_any_json_object(openai_client: openai.OpenAI) -> None:
    reply = openai_client.chat.completions.create(
        messages=ASK, response_format={"type": "json_object"}, **SETTINGS
    )
    assert isinstance(json.loads(reply.choices[0].message.content or ""), dict)


def test_a_reply_that_is_cut_off_is_told(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        openai_client.chat.completions.parse(
            messages=ASK, response_format=City, **SETTINGS | {"max_tokens": 3}
        )


def test_a_schema_that_is_none_is_refused(openai_client: openai.OpenAI) -> None:
    wrong = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "poem"}}}
    with pytest.raises(openai.BadRequestError) as refusal:
        openai_client.chat.completions.create(messages=ASK, response_format=wrong, **SETTINGS)
    assert (refusal.value.param or "").startswith("response_format")
