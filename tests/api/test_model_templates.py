"""The chat templates of llama.cpp's sources give the prompts that transformers makes of them."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest

from llamabox import TemplateError
from llamabox.api import ChatTemplate
from llamabox.api.jinja import compile_template
from tests.api import conversations
from tests.api.conversations import ASKS, CONVERSATIONS, SYSTEM
from tests.api.llama_cpp_sources import needed_template_files, template_files

SPECIALS = {"bos_token": "<s>", "eos_token": "</s>"}
VARIABLES: tuple[dict[str, Any], ...] = (
    {"add_generation_prompt": True},
    {"add_generation_prompt": False},
    {"add_generation_prompt": True, "enable_thinking": True},
    {"add_generation_prompt": True, "enable_thinking": False},
)
N_FILES = 70

TOOL_TURNS = ("call", "answer", "two calls", "reasoned call")
TOOLS = ("tools", "system and tools", *TOOL_TURNS)
NO_TOOLS = ("user", "system", "turns", "reasoning", "parts")
EVERY = tuple(CONVERSATIONS)
MADE_UP_FOR: dict[str, tuple[str, ...]] = {
    # They know nothing of tools.
    "HuggingFaceTB-SmolLM3-3B": TOOLS,
    "google-gemma-2-2b-it": (*TOOLS, "system", "turns"),  # nor of a system message
    "llama-cpp-rwkv-world": TOOLS,
    "microsoft-Phi-3.5-mini-instruct": TOOLS,
    # They know calls, and do not describe tools.
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": TOOLS,
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": TOOLS,
    "deepseek-ai-DeepSeek-V3.1": TOOLS,
    # They describe tools, and leave out calls.
    "LFM2-8B-A1B": TOOL_TURNS,
    "LFM2.5-Instruct": TOOL_TURNS,
    "ibm-granite-granite-3.3-2B-Instruct": TOOL_TURNS,
    # One call in a message: others are refused or left out.
    "GigaChat3-10B-A1.8B": ("two calls",),
    "GigaChat3.1-10B-A1.8B": ("two calls",),
    "meta-llama-Llama-3.1-8B-Instruct": ("two calls",),
    "meta-llama-Llama-3.2-3B-Instruct": ("two calls",),
    "meta-llama-Llama-3.3-70B-Instruct": ("two calls",),
    "openai-gpt-oss-120b": ("two calls",),
    # They fail where there are no tools.
    "CohereForAI-c4ai-command-r-plus-tool_use": NO_TOOLS,
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": NO_TOOLS,
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": NO_TOOLS,
    # They fail in transformers for want of something that llama.cpp's Jinja has.
    "Kimi-K2-Instruct": TOOL_TURNS,
    "Kimi-K2-Thinking": TOOL_TURNS,
    "llama-cpp-deepseek-r1": TOOLS,
    "fireworks-ai-llama-3-firefunction-v2": EVERY,
    # Arguments that are JSON text.
    "meetkai-functionary-medium-v3.2": TOOL_TURNS,
}
"""Conversations by file that transformers refuses, or renders without all that is in them."""


def theirs(source: str, messages: list[Any], tools: Any, **options: Any) -> str | Exception:
    """The prompt of transformers, or why there is none."""
    # It says on import that there is no PyTorch.
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        prompts, _ = render_jinja_template(
            [copy.deepcopy(messages)], tools=tools, chat_template=source, **SPECIALS, **options
        )
    except Exception as error:
        return error
    return prompts[0]


def ours(
    template: ChatTemplate,
    messages: list[Any],
    tools: Any,
    *,
    add_generation_prompt: bool,
    **variables: Any,
) -> str:
    return template.render(
        messages,
        tools=tools,
        add_generation_prompt=add_generation_prompt,
        variables=variables,
    )


def file_names() -> list[str]:
    return sorted(template_files()) or ["no sources"]


@functools.cache
def template_of(name: str) -> ChatTemplate:
    return ChatTemplate(needed_template_files()[name], bos="<s>", eos="</s>")


def test_there_are_as_many_files_as_are_known() -> None:
    assert len(needed_template_files()) == N_FILES
    assert set(MADE_UP_FOR) <= set(needed_template_files())


@pytest.mark.parametrize("name", file_names())
def test_a_prompt_is_that_of_transformers(name: str) -> None:
    template = template_of(name)
    for label, (messages, tools) in CONVERSATIONS.items():
        for options in VARIABLES:
            expected = theirs(template.source, messages, tools, **options)
            prompt = ours(template, messages, tools, **options)
            is_odd = label in MADE_UP_FOR.get(name, ()) or _misses_parts(label, expected)
            if not is_odd:
                assert prompt == expected, (label, options)
            else:
                assert prompt != expected, (label, options)
                _check_all_is_there(prompt, label)


def _misses_parts(label: str, expected: str | Exception) -> bool:
    """Whether a template knows no parts of a content, so that they are joined."""
    if label != "parts" or isinstance(expected, Exception):
        return label == "parts"
    return "'type': 'text'" in expected or '"type": "text"' in expected or "One." not in expected


def _check_all_is_there(prompt: str, label: str) -> None:
    texts = {
        "user": ["What is"],
        "system": ["Be brief", "What is"],
        "turns": ["Be brief", "What is", "It is fine.", "And now?"],
        "reasoning": ["What is", "It is fine.", "And now?"],
        "parts": ["One.", "Two."],
        "tools": ["What is", "get_weather", "The city", "add"],
        "system and tools": ["Be brief", "What is", "get_weather", "The city"],
        "call": ["Be brief", "What is", "get_weather", "Köln", "12 degrees"],
        "answer": ["get_weather", "Köln", "12 degrees", "It is fine.", "And now?"],
        "two calls": ["get_weather", "Köln", "1.5", "12 degrees", "3.5"],
        "reasoned call": ["get_weather", "Köln", "12 degrees"],
    }
    for text in texts[label]:
        assert text in prompt, (text, prompt)


@pytest.mark.parametrize("name", file_names())
def test_what_is_given_as_it_is_comes_out_as_in_transformers(name: str) -> None:
    """Without anything made up for: the sandbox alone."""
    source = template_of(name).source
    template = compile_template(source)
    for messages, tools in CONVERSATIONS.values():
        expected = theirs(source, messages, tools, add_generation_prompt=True)
        if isinstance(expected, Exception):
            continue
        context = {"messages": copy.deepcopy(messages), "tools": tools, "documents": None}
        for message in context["messages"]:
            if "reasoning_content" in message:
                message["thinking"] = message["reasoning_content"]
        assert template.render(context, add_generation_prompt=True, **SPECIALS) == expected


@pytest.mark.parametrize("name", file_names())
def test_a_last_message_is_continued_as_in_transformers(name: str) -> None:
    template = template_of(name)
    for text in ("It is", "It is ", "It\n"):
        messages = [SYSTEM, ASKS, {"role": "assistant", "content": text}]
        expected = theirs(template.source, messages, None, continue_final_message=True)
        prompt = template.render(messages, continue_final_message=True)
        if isinstance(expected, Exception):
            assert prompt.endswith((text, text.rstrip()))
        else:
            assert prompt == expected


@pytest.mark.parametrize("name", file_names())
def test_arguments_may_also_be_json_text(name: str) -> None:
    template = template_of(name)
    messages, tools = CONVERSATIONS["call"]
    as_text = copy.deepcopy(messages)
    function = as_text[2]["tool_calls"][0]["function"]
    function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    assert template.render(as_text, tools=tools) == template.render(messages, tools=tools)


@pytest.mark.parametrize("arguments", ['{"city": "Pa', "[1]", '"x"'])
@pytest.mark.parametrize("name", file_names())
def test_a_broken_call_does_not_break_the_conversation(name: str, arguments: str) -> None:
    template = template_of(name)
    messages, tools = copy.deepcopy(CONVERSATIONS["call"])
    messages[2]["tool_calls"][0]["function"]["arguments"] = arguments
    assert "get_weather" in template.render(messages, tools=tools)


@pytest.mark.parametrize("name", file_names())
def test_any_id_of_a_call_will_do(name: str) -> None:
    template = template_of(name)
    made = {**conversations.call(1, "add", a=1), "id": "call_0123456789abcdefghijklmn"}
    answer = {"role": "tool", "tool_call_id": made["id"], "content": "3.5"}
    prompt = template.render([ASKS, conversations.calls(made), answer], tools=conversations.TOOLS)
    assert "add" in prompt
    assert "3.5" in prompt


def test_a_refusal_is_a_template_error_with_its_words() -> None:
    template = template_of("google-gemma-2-2b-it")
    with pytest.raises(TemplateError, match="roles must alternate") as refusal:
        template.render([ASKS, ASKS])
    assert refusal.value.param == "messages"
    answer = {"role": "tool", "content": "3.5"}
    untrue = [SYSTEM, ASKS, conversations.CALLS_ONE, conversations.FIRST, answer, ASKS]
    assert "3.5" in template.render(untrue, tools=conversations.TOOLS)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (
            "ibm-granite-granite-3.3-2B-Instruct",
            '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Köln"}}, '
            '{"name": "add", "arguments": {"a": 1.5, "b": 2}}]',
        ),
        (
            "LFM2-8B-A1B",
            '<|tool_call_start|>[get_weather(city="Köln"), add(a=1.5, b=2)]<|tool_call_end|>',
        ),
        (
            "google-gemma-2-2b-it",
            '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Köln"}}\n</tool_call>\n'
            '<tool_call>\n{"name": "add", "arguments": {"a": 1.5, "b": 2}}\n</tool_call>',
        ),
    ],
)
def test_calls_that_a_template_leaves_out_are_written_as_the_model_does(
    name: str, written: str
) -> None:
    messages, tools = CONVERSATIONS["two calls"]
    assert written in template_of(name).render(messages, tools=tools)
