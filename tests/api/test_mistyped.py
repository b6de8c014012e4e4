"""Arguments of another kind than they should be are typed errors, and nothing is generated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llamabox import (
    Engine,
    EngineParams,
    GenerationParams,
    InvalidRequest,
    Model,
    ModelParams,
    TemplateError,
)
from llamabox.api import ChatTemplate

HELLO = [{"role": "user", "content": "hello"}]

PARAMS: list[Callable[[Engine], Any]] = [
    lambda engine: Engine(engine.model, {}),
    lambda engine: Engine(engine.model, GenerationParams()),
    lambda engine: Model.load(engine.model.path, {}),
    lambda engine: Model.load(engine.model.path, EngineParams()),
    lambda engine: engine.generate("hello", {}),
    lambda engine: engine.generate("hello", {"n_predict": 1}),
    lambda engine: engine.chat(HELLO, ModelParams()),
    lambda engine: engine.generate_choices("hello", {}, n=2),
    lambda engine: asyncio.run(engine.agenerate("hello", 5)),
    lambda engine: asyncio.run(engine.achat(HELLO, {"n_predict": 1})),
    lambda engine: asyncio.run(engine.agenerate_choices("hello", {}, n=2)),
]


@pytest.mark.parametrize("call", PARAMS)
def test_parameters(engine: Engine, call: Callable[[Engine], Any]) -> None:
    n_before = engine.stats().n_requests
    with pytest.raises(InvalidRequest) as error:
        call(engine)
    assert error.value.param == "params"
    assert engine.stats().n_requests == n_before


@pytest.mark.parametrize("path", [5, b"model.gguf", ["model.gguf"]], ids=str)
def test_paths(path: Any) -> None:
    for load in (Model.load, Engine, lambda given: Engine(draft_model=given)):
        with pytest.raises(InvalidRequest) as error:
            load(path)
        assert error.value.param == "path"


@pytest.mark.parametrize("messages", [5, None, "hello", {"role": "user"}, [5], [HELLO]], ids=str)
def test_messages(engine: Engine, messages: Any) -> None:
    for call in (engine.chat, lambda given: asyncio.run(engine.prepare_chat(given))):
        with pytest.raises(InvalidRequest) as error:
            call(messages)
        assert error.value.param == "messages"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parallel_tool_calls", "no"),
        ("add_generation_prompt", None),
        ("template_kwargs", [("a", 1)]),
        ("reasoning", {}),
        ("tools", 5),
    ],
)
def test_fields_of_a_conversation(engine: Engine, field: str, value: Any) -> None:
    for call in (engine.chat, lambda *args, **kw: asyncio.run(engine.prepare_chat(*args, **kw))):
        with pytest.raises(InvalidRequest) as error:
            call(HELLO, **{field: value})
        assert error.value.param == field


def test_a_field_that_a_conversation_does_not_have(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="tool_choices"):
        asyncio.run(engine.prepare_chat(HELLO, tool_choices="auto"))


@pytest.mark.parametrize("text", [5, None, b"hello", ["hello"]], ids=str)
def test_texts(engine: Engine, text: Any) -> None:
    for parse_special in (True, False):
        with pytest.raises(InvalidRequest):
            engine.model.tokenizer.encode(text, parse_special=parse_special)


def test_templates() -> None:
    with pytest.raises(TemplateError, match="does not compile"):
        ChatTemplate(5)
