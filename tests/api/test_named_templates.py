"""The templates that can be asked for by name write what llama.cpp writes for these names."""

from __future__ import annotations

import ctypes
import itertools

import llama_cpp
import pytest

from llamabox.api import ChatTemplate
from llamabox.api.jinja import compile_template
from llamabox.templates import NAMED_TEMPLATES

LLAMA_BOX = """
bailing chatglm3 chatglm4 chatml command-r deepseek deepseek2 deepseek3 exaone3 falcon falcon3 gemma
gigachat glmedge granite llama2 llama2-sys llama2-sys-bos llama2-sys-strip llama3 llama4 llava
llava-mistral megrez minicpm mistral-v1 mistral-v3 mistral-v3-tekken mistral-v7 mistral-v7-tekken
monarch openchat orion phi3 phi4 rwkv-world smolvlm vicuna vicuna-orca yandex zephyr
""".split()
"""llama-box's names."""
OF_LLAMA_BOX_ALONE = {"falcon", "llava", "llava-mistral"}
NO_SYSTEM = {"llava", "llava-mistral", "yandex"}
"""They leave a system message out."""

Turn = tuple[str, str]
SYSTEM: Turn = ("system", " Be\tbrief. \n")
ASKS: Turn = ("user", "\u3000 Hi <b>&'\" there \v")
ANSWERS: Turn = ("assistant", " Hello. \n\n")
ASKS_ON: Turn = ("user", "Bye\xa0")
CHATS: list[list[Turn]] = [
    [ASKS],
    [SYSTEM, ASKS],
    [ASKS, ANSWERS, ASKS_ON],
    [SYSTEM, ASKS, ANSWERS, ASKS_ON],
    [SYSTEM, ASKS, ANSWERS],
    [ASKS, ANSWERS],
    [SYSTEM, ASKS, SYSTEM, ASKS_ON],
    [SYSTEM],
    [ANSWERS],
    [SYSTEM, ANSWERS, ASKS],
]


def llama_cpp_names() -> set[str]:
    n = llama_cpp.llama_chat_builtin_templates(None, 0)
    names = (ctypes.c_char_p * n)()
    llama_cpp.llama_chat_builtin_templates(names, n)
    return {name.decode() for name in names if name}


def theirs(name: str, chat: list[Turn], add_generation_prompt: bool) -> str:
    """`llama_chat_apply_template`."""
    turns = (llama_cpp.llama_chat_message * len(chat))(
        *(llama_cpp.llama_chat_message(role.encode(), text.encode()) for role, text in chat)
    )
    room = ctypes.create_string_buffer(4096)
    n = llama_cpp.llama_chat_apply_template(
        name.encode(), turns, len(chat), add_generation_prompt, room, len(room)
    )
    assert 0 <= n < len(room)
    return room.raw[:n].decode()


def ours(name: str, chat: list[Turn], add_generation_prompt: bool) -> str:
    messages = [{"role": role, "content": text} for role, text in chat]
    return compile_template(NAMED_TEMPLATES[name]).render(
        messages=messages, add_generation_prompt=add_generation_prompt
    )


def test_there_is_one_for_each_name_of_llama_box_and_llama_cpp() -> None:
    assert set(LLAMA_BOX) <= set(NAMED_TEMPLATES)
    assert len(LLAMA_BOX) == 41
    assert set(NAMED_TEMPLATES) == llama_cpp_names() | OF_LLAMA_BOX_ALONE
    assert list(NAMED_TEMPLATES) == sorted(NAMED_TEMPLATES)
    with pytest.raises(KeyError):
        NAMED_TEMPLATES["../templates/chatml"]


@pytest.mark.parametrize("name", sorted(set(NAMED_TEMPLATES) - OF_LLAMA_BOX_ALONE))
def test_the_text_is_llama_cpps(name: str) -> None:
    for chat, adds_prompt in itertools.product(CHATS, (True, False)):
        assert ours(name, chat, adds_prompt) == theirs(name, chat, adds_prompt), chat


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "falcon",
            "\nBe\tbrief.\n\n\n\nUser: \u3000 Hi <b>&'\" there\n\n\n\nAssistant: Hello.\n\n\n"
            "\nUser: Bye\xa0\n\n\n\nAssistant:",
        ),
        (
            "llava",
            "A chat between a curious human and an artificial intelligence assistant. The assistant"
            " gives helpful, detailed, and polite answers to the human's questions.\n"
            "USER:\u3000 Hi <b>&'\" there \v\nASSISTANT: Hello. \n\n</s>\nUSER:Bye\xa0\nASSISTANT:",
        ),
        (
            "llava-mistral",
            "USER:\n\u3000 Hi <b>&'\" there \v\nASSISTANT:\n Hello. \n\n</s>\nUSER:\nBye\xa0\n"
            "ASSISTANT:\n",
        ),
    ],
)
def test_llama_boxs_own_write_this(name: str, expected: str) -> None:
    assert ours(name, [SYSTEM, ASKS, ANSWERS, ASKS_ON], True) == expected


@pytest.mark.parametrize("name", list(NAMED_TEMPLATES))
def test_nothing_of_a_conversation_is_lost(name: str) -> None:
    template = ChatTemplate(NAMED_TEMPLATES[name], bos="<s>", eos="</s>")
    chat = [("system", "Be brief."), ("user", "Hi!"), ("assistant", "Hello."), ("user", "Bye.")]
    messages = [{"role": role, "content": text} for role, text in chat]
    prompt = template.render(messages)
    assert all(text in prompt for _, text in chat)
    if name not in NO_SYSTEM:
        assert prompt == ours(name, chat, True)
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    made = {"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": 41}}}
    calls = {"role": "assistant", "content": None, "tool_calls": [made]}
    result = {"role": "tool", "tool_call_id": "1", "content": "forty-two"}
    prompt = template.render([*messages, calls, result], tools=tools)
    assert all(text in prompt for text in ("<tools>", '"add"', "41", "forty-two"))
    assert template.tool_source == ""
