"""Marks around an answer are no content, also where there are no tools."""

from __future__ import annotations

from typing import Any

import pytest

from llamabox import Engine
from llamabox.api.formats import format_of
from llamabox.api.tools import tool_use
from llamabox.api.turn import Turn


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        ("<|START_ACTION|>", "<|START_RESPONSE|>Hello<|END_RESPONSE|>"),
        ("<|START_ACTION|>", "<|START_TEXT|>Hello<|END_TEXT|>"),
        ("<|start_of_role|><|tool_call|>", "<response>Hello</response>"),
        (">>>all", "all\nHello"),
        ("[BEGIN FINAL RESPONSE]<tool_calls>", "Hello[END FINAL RESPONSE]"),
    ],
)
@pytest.mark.parametrize("tools", [None, [{"type": "function", "function": {"name": "f"}}]])
def test_they_are_left_out(engine: Engine, marks: str, text: str, tools: Any):
    turn = Turn.begin(format_of(marks), tool_use(tools), engine.constraints, None)
    output = turn.output()
    output.feed(text, is_last=True)
    assert output.message().content == "Hello"


@pytest.mark.parametrize(
    "text",
    [
        '{"xml": "<response>ok</response>"}',
        "```xml\n<response>\n<code>200</code>\n</response>\n```",
        "It ends in </response>",
    ],
)
def test_inside_a_text_they_are_content(engine: Engine, text: str):
    format_ = format_of("<|start_of_role|><|tool_call|>")
    for said in (text, f" \n<response>{text.replace('</response>', '')}</response>"):
        output = Turn.begin(format_, tool_use(None), engine.constraints, None).output()
        output.feed(said, is_last=True)
        kept = text if said == text else text.replace("</response>", "")
        assert output.message().content == kept


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        ("<|start_of_role|><|tool_call|>", '<|tool_call|>[{"name": "f", "arguments": {}}]'),
        (">>>all", 'f\n{"a": 1}'),
        (">>>all", "python\nprint(1)"),
    ],
)
def test_nothing_is_a_call_without_tools(engine: Engine, marks: str, text: str):
    turn = Turn.begin(format_of(marks), tool_use(None), engine.constraints, None)
    output = turn.output()
    output.feed(text, is_last=True)
    message = output.message()
    assert (message.content, message.tool_calls) == (text, ())
