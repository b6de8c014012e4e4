"""The packaged model: what its file holds, and that it chats as docs/model.md says.

`scripts/model/sample_prompts.py` makes prompts.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import llamabox
from llamabox import Engine, EngineParams, FinishReason, GenerationParams

PROMPTS = Path(__file__).with_name("prompts.json")
GREEDY = GenerationParams(temperature=0, n_predict=200)
LARGEST_FILE = 8_000_000
SHORTEST_CONTEXT = 2048
ENDED_SHARE = 0.9


def tool(name: str, description: str, **types: str) -> dict[str, Any]:
    """A function description in OpenAI's form; all parameters are required."""
    properties = {key: {"type": kind} for key, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": list(types)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


WEATHER = tool("get_weather", "Get the current weather for a city", city="string")
ADD = tool("add", "Add two numbers.", a="number", b="number")


@pytest.fixture(scope="module", name="engine")
def packaged_engine() -> Iterator[Engine]:
    with Engine(params=EngineParams(n_ctx=8192, n_parallel=8, n_threads=1)) as engine:
        yield engine


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_the_file_is_small_and_of_a_common_kind(engine: Engine) -> None:
    assert engine.model.path == llamabox.packaged_model()
    assert engine.model.path.stat().st_size < LARGEST_FILE
    metadata = engine.model.metadata
    architecture = metadata["general.architecture"]
    assert architecture in ("llama", "qwen2")
    assert int(metadata[f"{architecture}.context_length"]) >= SHORTEST_CONTEXT


def test_its_template_writes_chatml(engine: Engine) -> None:
    assert engine.model.chat_template
    rendered = engine.template.render([{"role": "system", "content": "Be kind."}, user("Hi")])
    assert rendered == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("markup", ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"])
def test_markup_is_one_token(engine: Engine, markup: str) -> None:
    assert len(engine.model.tokenizer.encode(markup)) == 1


def test_held_out_chats_end_by_themselves(engine: Engine) -> None:
    chats = json.loads(PROMPTS.read_text())
    with ThreadPoolExecutor(engine.params.n_parallel) as pool:
        answers = list(pool.map(lambda chat: engine.chat(chat, GREEDY), chats))
    ended = sum(answer.finish_reason is FinishReason.EOG for answer in answers)
    assert ended >= ENDED_SHARE * len(chats)


@pytest.mark.parametrize(
    "prompt",
    [
        "Good morning!",
        "What is your name?",
        "Tell me a story about a fox.",
        "What is Tillbrook?",
        "What is the capital of France?",
    ],
)
def test_an_answer_is_whole_sentences(engine: Engine, prompt: str) -> None:
    answer = engine.chat([user(prompt)], GREEDY)
    assert answer.finish_reason is FinishReason.EOG
    assert re.fullmatch(r"[A-Z].*[a-z][.!?]", answer.text, re.DOTALL)


@pytest.mark.parametrize(
    ("prompt", "tools", "name", "arguments"),
    [
        ("What is the weather in Paris?", [WEATHER], "get_weather", {"city": "Paris"}),
        ("What is the weather in London?", [WEATHER, ADD], "get_weather", {"city": "London"}),
        ("What is 12 plus 30?", [ADD], "add", {"a": 12, "b": 30}),
    ],
)
def test_a_request_that_needs_a_tool_is_a_call(
    engine: Engine, prompt: str, tools: list[dict[str, Any]], name: str, arguments: dict[str, Any]
) -> None:
    answer = engine.chat([user(prompt)], GREEDY, tools=tools).text
    call = re.fullmatch(r"<tool_call>\n(.*)\n</tool_call>", answer)
    assert call
    assert json.loads(call[1]) == {"name": name, "arguments": arguments}


def called(prompt: str, name: str, arguments: dict[str, Any], result: str) -> list[dict[str, Any]]:
    """A chat up to the result of its one tool call."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    return [
        user(prompt),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]


WEATHER_RESULT = called(
    "What is the weather in Paris?",
    "get_weather",
    {"city": "Paris"},
    '{"temperature": 21, "condition": "rainy"}',
)
SUM_RESULT = called("What is 12 plus 30?", "add", {"a": 12, "b": 30}, '{"result": 42}')


@pytest.mark.parametrize(
    ("messages", "offered", "value"), [(WEATHER_RESULT, WEATHER, "21"), (SUM_RESULT, ADD, "42")]
)
def test_a_tool_result_is_told(
    engine: Engine, messages: list[dict[str, Any]], offered: dict[str, Any], value: str
) -> None:
    answer = engine.chat(messages, GREEDY, tools=[offered])
    assert answer.finish_reason is FinishReason.EOG
    assert value in answer.text


@pytest.mark.parametrize("text", ["The moon is bright tonight.", "The dog has a red ball."])
def test_a_short_text_is_copied(engine: Engine, text: str) -> None:
    assert engine.chat([user(f"Repeat this text: {text}")], GREEDY).text == text
