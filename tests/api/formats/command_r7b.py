"""Outputs of Command R7B and its successors."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

WEATHER = f'    {{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {PARIS}}}'
ADD = '    {"tool_call_id": "1", "tool_name": "add", "parameters": {"a": 1, "b": 2.5}}'
ONE = f"<|START_ACTION|>[\n{WEATHER}\n]<|END_ACTION|>"
TWO = f"<|START_ACTION|>[\n{WEATHER},\n{ADD}\n]<|END_ACTION|>"

GOLDEN = [
    *usual(ONE, TWO, ids=("0", "1")),
    is_content('<|START_ACTION|>[\n    {"tool_call_id": "0", "tool'),
    is_content("<|START_ACTION|>nothing"),
    is_content("<|START_ACTION|>[]"),
    Golden(
        "broken",
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": '
        '{"city": "P',
        said(None, ("get_weather", '{"city": "P', "0")),
    ),
    Golden(
        "broken",
        f"<|START_ACTION|>[\n{WEATHER},\n  nothing]<|END_ACTION|>",
        said("nothing]<|END_ACTION|>", ("get_weather", PARIS, "0")),
    ),
    Golden(
        "reasoning",
        f"<|START_THINKING|>I will look\n it up.\n<|END_THINKING|>{TWO}",
        said(
            None,
            ("get_weather", PARIS, "0"),
            ("add", '{"a": 1, "b": 2.5}', "1"),
            reasoning="I will look\n it up.",
        ),
    ),
    Golden(
        "reasoning",
        "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>It is sunny.\n<|END_RESPONSE|>",
        said("It is sunny.\n", reasoning="Hm."),
    ),
    Golden("reasoning", "<|START_THINKING|>Hm", said("", reasoning="Hm")),
    Golden("plain", "<|START_TEXT|>It is <b>sunny</b>.<|END_TEXT|>", said("It is <b>sunny</b>.")),
    Golden(
        "nested",
        '<|START_ACTION|>[{"tool_name": "f", "parameters": {"a": ["<|END_ACTION|>", '
        '{"}": "\\"é"}]}}]'
        "<|END_ACTION|>",
        said(None, ("f", '{"a": ["<|END_ACTION|>", {"}": "\\"é"}]}')),
    ),
]
