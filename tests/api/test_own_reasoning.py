"""Reasoning that a format's own parser tells from content, through the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from llamabox import (
    Completion,
    Engine,
    EngineParams,
    InvalidRequest,
    Model,
    ReasoningParams,
    Tool,
)

PARAMS = EngineParams(n_ctx=512, n_parallel=2, n_threads=1)
GREEDY: dict[str, Any] = {"temperature": 0, "n_predict": 200}
QUESTION = {"role": "user", "content": "Tell me a long story about a dog."}
DIGIT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["x"],
    "additionalProperties": False,
}
ADD = Tool("add", "Adds.", DIGIT)
HUNYUAN_LIKE = """\
{#- <arg_key{}> -#}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- for m in messages %}<|{{ m.role }}|>
{%- if m.role == 'assistant' %}<think:opensource>{{ m.reasoning_content }}</think:opensource>
{%- endif %}{{ m.content }}{% endfor %}
{%- if add_generation_prompt %}<|assistant|><think:opensource>{% endif %}"""
"""A template that opens the reasoning."""
HARMONY_LIKE = """\
{%- if tools %}<|start|>developer<|message|>{{ tools | tojson }}<|end|>{% endif %}
{%- for m in messages %}
{%- if m.thinking %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>
{%- endif %}
{%- if m.content %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|start|>assistant{% endif %}"""
"""One that leaves it to the model."""
BUDGET = {"reasoning": ReasoningParams(budget=4)}


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model.load() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def hunyuan(model: Model) -> Iterator[Engine]:
    with Engine(model, PARAMS, chat_template=HUNYUAN_LIKE) as engine:
        yield engine


@pytest.fixture(scope="module")
def harmony(model: Model) -> Iterator[Engine]:
    with Engine(model, PARAMS, chat_template=HARMONY_LIKE) as engine:
        yield engine


def ask(engine: Engine, *messages: dict[str, Any], **options: Any) -> Completion:
    return engine.chat([QUESTION, *messages], **GREEDY | options)


def check_schema(completion: Completion) -> None:
    message = completion.message
    assert message is not None
    assert message.reasoning
    assert json.loads(message.content or "")["x"] in range(10)
    assert completion.n_reasoning > 4


def check_call(completion: Completion) -> None:
    message = completion.message
    assert message is not None
    assert message.reasoning
    (call,) = message.tool_calls
    assert json.loads(call.arguments)["x"] in range(10)
    assert completion.n_reasoning > 4


def likely(engine: Engine) -> dict[str, Any]:
    """Makes likely what begins the reasoning, which no model here writes by itself."""
    tokens = engine.model.tokenizer.encode("<|channel|>analysis", add_special=False).tolist()
    return {"logit_bias": tuple((token, 30.0) for token in dict.fromkeys(tokens)), **BUDGET}


class TestOpened:
    def test_a_schema_holds_behind_it(self, hunyuan: Engine):
        check_schema(ask(hunyuan, json_schema=json.dumps(DIGIT), **BUDGET))

    @pytest.mark.parametrize("tools", [None, [ADD]])
    def test_a_schema_that_cannot_be_kept_to_is_named(self, hunyuan: Engine, tools: Any):
        schema = {"type": "array", "uniqueItems": True}
        with pytest.raises(InvalidRequest) as refusal:
            ask(hunyuan, json_schema=json.dumps(schema), tools=tools)
        assert refusal.value.param == "json_schema"

    def test_a_forced_call_comes_behind_it(self, hunyuan: Engine):
        options = {"tools": [ADD], "tool_choice": "required", "parallel_tool_calls": False}
        check_call(ask(hunyuan, **options, **BUDGET))

    def test_it_may_be_in_the_content(self, hunyuan: Engine):
        schema = json.dumps(DIGIT)
        apart = ask(hunyuan, json_schema=schema, **BUDGET).message
        assert apart is not None
        for format_, opening in (("none", ""), ("deepseek-legacy", "<think:opensource>")):
            reasoning = ReasoningParams(budget=4, format=format_)
            told = ask(hunyuan, json_schema=schema, reasoning=reasoning).message
            assert told is not None
            assert told.content == (f"{opening}{apart.reasoning}</think:opensource>{apart.content}")
            assert told.reasoning == (apart.reasoning if opening else None)


class TestLeftToTheModel:
    def test_it_may_come_before_what_keeps_to_a_schema(self, harmony: Engine):
        completion = ask(harmony, json_schema=json.dumps(DIGIT), **likely(harmony))
        assert completion.text.startswith("<|channel|>analysis<|message|>")
        check_schema(completion)

    def test_it_may_come_before_a_forced_call(self, harmony: Engine):
        options = {"tools": [ADD], "tool_choice": "required", "parallel_tool_calls": False}
        completion = ask(harmony, **options, **likely(harmony))
        assert completion.text.startswith("<|channel|>analysis<|message|>")
        check_call(completion)

    def test_there_may_be_none(self, harmony: Engine):
        tokens = harmony.model.tokenizer.encode("<", add_special=False).tolist()
        never = tuple((token, -100.0) for token in tokens)
        completion = ask(harmony, json_schema=json.dumps(DIGIT), logit_bias=never)
        assert completion.message is not None
        assert json.loads(completion.message.content or "")["x"] in range(10)
        assert completion.n_reasoning == 0

    @pytest.mark.parametrize("budget", [-1, 3])
    def test_it_is_gone_on_with(self, harmony: Engine, budget: int):
        begun = {"role": "assistant", "reasoning_content": "The dog is"}
        reasoning = ReasoningParams(budget=budget)
        options = {"reasoning": reasoning, "continue_final_message": True, "n_predict": 24}
        completion = ask(harmony, begun, **options)
        message = completion.message
        assert message is not None
        assert message.reasoning
        assert bool(message.content) is (budget >= 0)
        assert (completion.n_reasoning == completion.n_output) is (budget < 0)
