"""A last message that the model goes on with."""

from __future__ import annotations

from typing import Any

import pytest

from llamabox import InvalidRequest
from llamabox.api import ChatTemplate
from llamabox.templates import CHATML, NAMED_TEMPLATES
from tests.api.conversations import ASKS, CALLS_ONE

HEAD = '<|im_start|>user\nWhat is "it"?<|im_end|>\n<|im_start|>assistant\n'
THINKING = """\
{%- for m in messages %}{{ '<' + m.role + '>' }}
{%- if m.reasoning_content %}{{ '<think>' + m.reasoning_content.strip() + '</think>' }}{% endif %}
{{- m.content }}<end>{% endfor %}
{%- if add_generation_prompt %}<assistant>{% endif %}"""
FORGETFUL = """\
{%- for m in messages %}{{ m.content if m.role == 'user' else 'So it went.' }}
{%- endfor %}{% if add_generation_prompt %}A: {% endif %}"""


def go_on(source: str, wanted: bool | str = True, **message: Any) -> str:
    last = {"role": "assistant", **message}
    return ChatTemplate(source).render([ASKS, last], continue_final_message=wanted)


@pytest.mark.parametrize("text", ["It is", "It is ", "", " \n", "a\uf8f3b", "<|im_end|>"])
def test_the_prompt_ends_where_the_message_does(text: str) -> None:
    assert go_on(CHATML, content=text) == HEAD + text
    assert go_on(CHATML, "content", content=text) == HEAD + text
    assert go_on(CHATML, content=[{"type": "text", "text": text}]) == HEAD + text


@pytest.mark.parametrize("content", [None, "", []])
def test_a_message_may_have_nothing_yet(content: Any) -> None:
    assert go_on(CHATML, content=content) == HEAD


def test_a_template_may_trim() -> None:
    head = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    assert go_on(NAMED_TEMPLATES["llama3"], content="\n It is \n").endswith(head + "It is")


def test_reasoning_is_continued_where_there_is_no_content() -> None:
    start = '<user>What is "it"?<end><assistant><think>'
    assert go_on(THINKING, reasoning_content="Hm, it ") == start + "Hm, it"
    assert go_on(THINKING, "reasoning_content", thinking="Hm") == start + "Hm"
    assert go_on(THINKING, reasoning_content="Hm", content="It") == start + "Hm</think>It"


def test_a_template_that_hides_the_message_gets_it_behind_the_head() -> None:
    assert go_on(FORGETFUL, content="It is") == 'What is "it"?A: It is'
    with pytest.raises(InvalidRequest, match="does not show the reasoning"):
        go_on(CHATML, reasoning_content="Hm")


@pytest.mark.parametrize(
    ("wanted", "message", "reason"),
    [
        (True, ASKS, "not the assistant's"),
        (True, CALLS_ONE, "tool calls"),
        ("reasoning_content", {"role": "assistant", "content": "x"}, "no reasoning"),
        (
            "reasoning_content",
            {"role": "assistant", "content": "x", "reasoning_content": "y"},
            "has content",
        ),
        ("role", {"role": "assistant", "content": "x"}, "neither"),
        (
            True,
            {"role": "assistant", "content": "", "reasoning_content": {"step": 1}},
            "reasoning_content is no text",
        ),
    ],
)
def test_what_cannot_be_continued_is_refused(wanted: Any, message: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refusal:
        ChatTemplate(THINKING).render([ASKS, message], continue_final_message=wanted)
    assert refusal.value.param == "continue_final_message"


@pytest.mark.parametrize(("content", "text"), [("Once", "Once"), ("", ""), (None, ""), ([], "")])
def test_an_answer_may_begin_a_conversation(content: Any, text: str) -> None:
    prompt = ChatTemplate(CHATML).render(
        [{"role": "assistant", "content": content}], continue_final_message=True
    )
    assert prompt == f"<|im_start|>assistant\n{text}"
