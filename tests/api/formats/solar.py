"""Outputs of Solar Open."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual


def call(call_id: str, name: str, arguments: str) -> str:
    return (
        f"<|tool_call:begin|>{call_id}<|tool_call:name|>{name}<|tool_call:args|>{arguments}"
        "<|tool_call:end|>"
    )


WEATHER, ADD = call("a1b2c3d4e5", "get_weather", PARIS), call("e5d4c3b2a1", "add", SUM)
ONE = f"<|tool_calls|>{WEATHER}<|calls|>"

GOLDEN = [
    *usual(
        ONE,
        f"<|tool_calls|>{WEATHER}{ADD}<|calls|>",
        ids=("a1b2c3d4e5", "e5d4c3b2a1"),
        before="<|content|>{text}<|end|><|begin|>assistant{call}",
    ),
    is_content("<|tool_calls|><|tool_call:begin|>a1b2"),
    is_content("<|tool_calls|>nothing"),
    Golden(
        "broken",
        '<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>add<|tool_call:args|>{"a": 1',
        said(None, ("add", '{"a": 1', "a1")),
    ),
    Golden(
        "reasoning",
        f"<|think|>I look.\n<|end|><|begin|>assistant{ONE}",
        said(None, ("get_weather", PARIS, "a1b2c3d4e5"), reasoning="I look."),
    ),
    Golden(
        "reasoning",
        "<|think|>Hm.<|end|><|begin|>assistant<|content|>It is <b>sunny</b>.<|end|>",
        said("It is <b>sunny</b>.", reasoning="Hm."),
    ),
    Golden("no arguments", call("a1", "now", "{}"), said(None, ("now", "{}", "a1"))),
    Golden(
        "nested",
        call("a1", "f", '{"a": [{"}": "<|tool_call:end|>\\"é"}]}'),
        said(None, ("f", '{"a": [{"}": "<|tool_call:end|>\\"é"}]}', "a1")),
    ),
]
