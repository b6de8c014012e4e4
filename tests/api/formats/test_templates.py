"""The formats of llama.cpp's template files, and calls as these templates write them."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from llamabox.api import ChatTemplate
from llamabox.api.formats import FORMATS, GENERIC, Tool, format_of
from llamabox.api.messages import ChatMessage
from tests.api.formats.golden import parsed
from tests.api.llama_cpp_sources import needed_template_files, template_files

FORMAT_OF_FILE = {
    "Apertus-8B-Instruct": "apertus",
    "Apriel-1.6-15b-Thinker-fixed": "apriel",
    "Bielik-11B-v3.0-Instruct": "hermes",
    "ByteDance-Seed-OSS": "seed-oss",
    "Cohere2MoE": "command-r7b",
    "CohereForAI-c4ai-command-r-plus-tool_use": "command-r",
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "command-r7b",
    "GLM-4.6": "glm",
    "GLM-4.7-Flash": "glm",
    "GigaChat3-10B-A1.8B": "gigachat-3",
    "GigaChat3.1-10B-A1.8B": "gigachat",
    "HuggingFaceTB-SmolLM3-3B": "generic",
    "Kimi-K2-Instruct": "kimi-k2",
    "Kimi-K2-Thinking": "kimi-k2",
    "Kimi-K3": "kimi-k3",
    "LFM2-8B-A1B": "lfm2",
    "LFM2.5-8B-A1B": "lfm2",
    "LFM2.5-Instruct": "lfm2",
    "MiMo-VL": "hermes",
    "MiniMax-M1": "tool-calls",
    "MiniMax-M2": "minimax-m2",
    "MiniMax-M3": "minimax-m3",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral-v11",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "qwen-coder",
    "NVIDIA-Nemotron-Nano-v2": "nemotron",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": "hermes",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "Qwen3-Coder": "qwen-coder",
    "Qwen3.5-4B": "qwen-coder",
    "Reka-Edge": "hermes",
    "Spark2.5": "glm",
    "StepFun3.5-Flash": "qwen-coder",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "deepseek-r1",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "deepseek-r1",
    "deepseek-ai-DeepSeek-V3.1": "deepseek-v3.1",
    "deepseek-ai-DeepSeek-V3.2": "deepseek-v3.2",
    "deepseek-ai-DeepSeek-V4": "deepseek-v4",
    "deepseek-ai-DeepSeek-V4-Flash-0731": "deepseek-v4",
    "fireworks-ai-llama-3-firefunction-v2": "firefunction",
    "google-gemma-2-2b-it": "generic",
    "google-gemma-4-31B-it": "gemma",
    "google-gemma-4-31B-it-interleaved": "gemma",
    "ibm-granite-granite-3.3-2B-Instruct": "granite",
    "ibm-granite-granite-4.0": "hermes",
    "ibm-granite-granite-4.1": "hermes",
    "inclusionai-ling-3.0-flash": "glm",
    "llama-cpp-deepseek-r1": "deepseek-r1",
    "llama-cpp-rwkv-world": "generic",
    "meetkai-functionary-medium-v3.1": "functionary-v3.1",
    "meetkai-functionary-medium-v3.2": "functionary-v3.2",
    "meta-llama-Llama-3.1-8B-Instruct": "llama",
    "meta-llama-Llama-3.2-3B-Instruct": "llama",
    "meta-llama-Llama-3.3-70B-Instruct": "llama",
    "microsoft-Phi-3.5-mini-instruct": "generic",
    "mistralai-Ministral-3-14B-Reasoning-2512": "mistral-v13",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral",
    "moonshotai-Kimi-K2": "kimi-k2",
    "muse-glimmer": "muse",
    "openai-gpt-oss-120b": "harmony",
    "openbmb-MiniCPM5-1B": "minicpm",
    "poolside-Laguna-S-2.1": "glm",
    "poolside-Laguna-XS-2.1": "glm",
    "poolside-Laguna-XS.2": "glm",
    "tencent-Hy3": "hunyuan-3",
    "unsloth-Apriel-1.5": "apriel",
    "unsloth-mistral-Devstral-Small-2507": "mistral-v13",
    "upstage-Solar-Open-100B": "solar",
}

OTHER_TEMPLATES = {
    "[gMASK]<sp><|assistant|>{{ item['metadata'] }}": "chatglm",
    "{{ '<|system|>' ~ '<|tool|>' + message['tools'] + '<|/tool|>' }}": "phi",
    "<start_function_declaration>...<start_function_call>call:": "function-gemma",
    "<tool_calls>[{% for call in message.tool_calls %}]</tool_calls><|extra_0|>": "tool-calls",
    "<|header_start|>assistant<|header_end|>": "llama",
}
"""What tells those that llama.cpp has no file of."""

ASKS = {"role": "user", "content": "What about it?"}
TEXT = "Let me look."
ARGUMENTS: dict[str, dict[str, Any]] = {
    "get_weather": {
        "city": 'Köln "x" <b>\n{}, [\\n]',
        "days": 3,
        "is_sure": True,
        "more": {"a": [1, 2.5, "x"], "b": {"c": False}},
    },
    "now": {"zone": "12"},
}
PROPERTIES = {
    "get_weather": {
        "city": {"type": "string", "description": "Where"},
        "days": {"type": "integer", "description": "How many"},
        "is_sure": {"type": "boolean", "description": "Whether"},
        "more": {
            "type": "object",
            "description": "What else",
            "additionalProperties": {"type": "array"},
        },
    },
    "now": {"zone": {"type": "string", "description": "Where"}},
}
TOOLS = tuple(
    Tool(
        name,
        f"Tells about {name}",
        {
            "type": "object",
            "properties": properties,
            "required": list(properties),
        },
    )
    for name, properties in PROPERTIES.items()
)
ESCAPES_NOTHING = {"LFM2.5-8B-A1B"}
"""They write strings so that a backslash in them cannot be told from an escape."""
DROPS_CALLS_BEHIND_TEXT = {"llama-cpp-deepseek-r1"}
"""They write either the content of a message or its calls."""


def file_names() -> list[str]:
    return sorted(template_files()) or ["no sources"]


@functools.cache
def template_of(name: str) -> ChatTemplate:
    return ChatTemplate(needed_template_files()[name], bos="<s>", eos="</s>")


def described() -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in TOOLS
    ]


def asked(*names: str, **fields: Any) -> dict[str, Any]:
    calls = [
        {
            "id": f"abcdefg0{i}",
            "type": "function",
            "function": {"name": name, "arguments": ARGUMENTS[name]},
        }
        for i, name in enumerate(names)
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls, **fields}


def read_back(name: str, message: dict[str, Any]) -> ChatMessage:
    """The message that the format reads from what the template writes behind the question."""
    template = template_of(name)
    prompt = template.render([ASKS, message], tools=described(), add_generation_prompt=False)
    _, _, turn = prompt.partition(ASKS["content"])
    return parsed(format_of(template.tool_source).parser(TOOLS), [turn])


def calls_of(message: ChatMessage) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in message.tool_calls]


def test_all_files_are_known() -> None:
    assert set(needed_template_files()) == set(FORMAT_OF_FILE)


@pytest.mark.parametrize("name", FORMAT_OF_FILE)
def test_a_template_has_its_format(name: str) -> None:
    assert format_of(needed_template_files()[name]).name == FORMAT_OF_FILE[name]


@pytest.mark.parametrize("source", OTHER_TEMPLATES)
def test_other_templates_have_theirs(source: str) -> None:
    assert format_of(source).name == OTHER_TEMPLATES[source]


def test_each_format_has_a_template() -> None:
    known = {*FORMAT_OF_FILE.values(), *OTHER_TEMPLATES.values()}
    assert {format_.name for format_ in FORMATS} == known
    assert format_of("{{ messages }}") is GENERIC


@pytest.mark.parametrize("name", file_names())
def test_calls_in_the_history_are_read_as_they_were_made(name: str) -> None:
    for names in (["get_weather"], ["now"], ["get_weather", "now"]):
        calls = calls_of(read_back(name, asked(*names)))
        if name in ESCAPES_NOTHING and names[0] == "get_weather":
            assert calls[0][1].pop("city") == ARGUMENTS["get_weather"]["city"].replace("\\n", "\n")
            calls[0][1]["city"] = ARGUMENTS["get_weather"]["city"]
        assert calls == [(tool, ARGUMENTS[tool]) for tool in names]


@pytest.mark.parametrize("name", file_names())
def test_text_before_a_call_is_content(name: str) -> None:
    message = read_back(name, asked("now", content=TEXT))
    calls = [] if name in DROPS_CALLS_BEHIND_TEXT else [("now", ARGUMENTS["now"])]
    assert calls_of(message) == calls
    told = (message.content or "") + (message.reasoning or "")
    assert told.count(TEXT) == (
        TEXT in template_of(name).render([ASKS, asked("now", content=TEXT)])
    )
