"""Tools in the library: the packaged model calls them; a turn keeps to what it was asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from llamabox import (
    CallArguments,
    CallStart,
    Content,
    Conversation,
    Engine,
    EngineParams,
    FinishReason,
    InvalidRequest,
    Tool,
)
from llamabox.api.formats import HERMES
from llamabox.api.tools import tool_use
from llamabox.api.turn import TurnOutput

WEATHER = Tool(
    "get_weather",
    "Get the weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
DESCRIBED = {
    "type": "function",
    "function": {
        "name": WEATHER.name,
        "description": WEATHER.description,
        "parameters": WEATHER.parameters,
    },
}
PARIS = [{"role": "user", "content": "What is the weather in Paris?"}]
HELLO = [{"role": "user", "content": "Hello! Who are you?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "n_predict": 100}
CALL = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'


@pytest.fixture(scope="module")
def pocket() -> Iterator[Engine]:
    with Engine(None, EngineParams(n_ctx=1024, n_parallel=2, n_threads=1)) as engine:
        yield engine


@pytest.mark.parametrize("tool", [WEATHER, DESCRIBED])
def test_a_turn_calls_a_tool_and_the_next_one_answers(
    pocket: Engine, tool: Tool | dict[str, Any]
) -> None:
    called = pocket.chat(PARIS, tools=[tool], **GREEDY)
    assert called.message is not None
    assert called.message.content is None
    (call,) = called.message.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    function = {"name": call.name, "arguments": json.loads(call.arguments)}
    history = [
        *PARIS,
        {"role": "assistant", "content": "", "tool_calls": [{"id": call.id, "function": function}]},
        {"role": "tool", "tool_call_id": call.id, "content": '{"degrees": 12, "sky": "foggy"}'},
    ]
    answer = pocket.chat(history, tools=[tool], **GREEDY).message
    assert answer is not None
    assert "12 degrees" in (answer.content or "")
    assert not answer.tool_calls


def test_events_come_with_the_chunks(pocket: Engine) -> None:
    with pocket.chat_stream(PARIS, tools=[WEATHER], **GREEDY) as stream:
        chunks = list(stream)
    events = [event for chunk in chunks for event in chunk.events or ()]
    start, *more = events
    assert isinstance(start, CallStart)
    assert all(isinstance(event, CallArguments) for event in more)
    assert stream.result is not None
    assert stream.result.message is not None
    (call,) = stream.result.message.tool_calls
    assert (start.id, start.name) == (call.id, call.name)
    joined = "".join(event.fragment for event in more if isinstance(event, CallArguments))
    assert joined == call.arguments


def test_event_loops_have_the_same(pocket: Engine) -> None:
    async def ask() -> list[Any]:
        whole = await pocket.achat(PARIS, tools=[WEATHER], **GREEDY)
        stream = await pocket.achat_stream(
            HELLO, tools=[WEATHER], tool_choice="get_weather", parallel_tool_calls=False, **GREEDY
        )
        streamed = await stream.completion()
        return [whole.message, streamed.message]

    whole, streamed = asyncio.run(ask())
    assert json.loads(whole.tool_calls[0].arguments) == {"city": "Paris"}
    assert streamed.content is None
    (call,) = streamed.tool_calls
    assert set(json.loads(call.arguments)) == {"city"}


def test_choices_of_a_conversation_have_messages(pocket: Engine) -> None:
    conversation = Conversation(messages=PARIS, tools=[WEATHER])
    choices = pocket.generate_choices(conversation, n=2, **GREEDY)
    messages = [choice.message for choice in choices]
    assert [message.tool_calls[0].name for message in messages if message] == ["get_weather"] * 2


def test_a_turn_without_parallel_calls_ends_as_if_the_model_had_ended_it(pocket: Engine) -> None:
    both = [
        {"role": "user", "content": "What is the weather in Paris? What is the weather in Rome?"}
    ]
    one = pocket.chat(both, tools=[WEATHER], parallel_tool_calls=False, **GREEDY)
    assert one.finish_reason is FinishReason.EOG
    assert one.message is not None
    assert len(one.message.tool_calls) == 1


def test_a_text_has_no_message(pocket: Engine) -> None:
    completion = pocket.generate("Once upon a time", **GREEDY)
    assert completion.message is None


def test_what_is_written_behind_the_only_call_is_left_out() -> None:
    output = TurnOutput(HERMES.parser(()), parallel=False)
    output.feed(f"a {CALL} b {CALL} c", is_last=False)
    assert output.is_enough
    assert output.feed("d", is_last=True) == ()
    message = output.message()
    assert message.content == "a  b"
    assert [call.name for call in message.tool_calls] == ["f"]


def test_calls_have_ids_of_their_own() -> None:
    output = TurnOutput(HERMES.parser(()), parallel=True)
    events = output.feed(f"x{CALL}{CALL}", is_last=True)
    ids = [event.id for event in events if isinstance(event, CallStart)]
    assert len(set(ids)) == 2
    assert all(call_id.startswith("call_") for call_id in ids)
    assert isinstance(events[0], Content)


def test_an_id_that_a_model_writes_twice_is_one_calls_only() -> None:
    output = TurnOutput(HERMES.parser(()), parallel=True)
    output.feed('<tool_call>{"id": "x1", "name": "f"}</tool_call>' * 2, is_last=True)
    first, second = (call.id for call in output.message().tool_calls)
    assert first == "x1"
    assert second.startswith("call_")


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ([WEATHER, WEATHER], "auto", "tools"),
        ([{"type": "function"}], "auto", "tools"),
        ([{"function": "f"}], "auto", "tools"),
        ([{"name": "f", "parameters": 1}], "auto", "tools"),
        ([WEATHER], "rm", "tool_choice"),
        ([WEATHER], Tool("none"), "tool_choice"),
        ([], "required", "tool_choice"),
        (None, "get_weather", "tool_choice"),
    ],
)
def test_wrong_tools_are_refused(tools: Any, choice: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        tool_use(tools, choice)
    assert caught.value.param == param


def test_tools_that_are_called_for_sure() -> None:
    none = tool_use([WEATHER], "none")
    assert not none.described
    named = tool_use([WEATHER, Tool("auto")], Tool("auto"))
    assert named.is_forced
    assert [tool.name for tool in named.tools] == ["auto"]
    assert len(named.described) == 2
    assert tool_use([Tool("f", strict=True)]).is_constrained
