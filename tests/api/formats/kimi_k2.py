"""Outputs of Kimi K2."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

BEGIN, END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"


def call(call_id: str, arguments: str) -> str:
    return f"<|tool_call_begin|>{call_id}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>"


WEATHER, ADD = call("functions.get_weather:0", PARIS), call("functions.add:1", SUM)

GOLDEN = [
    *usual(
        f"{BEGIN}{WEATHER}{END}",
        f"{BEGIN}{WEATHER}{ADD}{END}",
        ids=("functions.get_weather:0", "functions.add:1"),
    ),
    is_content(f"{BEGIN}<|tool_call_begin|>functions.get_wea"),
    is_content(f"{BEGIN}{call('functions.get_weather:0', 'Paris')}"),
    is_content(f"{BEGIN}nothing{END}"),
    Golden(
        "broken",
        f'{BEGIN}<|tool_call_begin|>functions.add:0<|tool_call_argument_begin|>{{"a": 1',
        said(None, ("add", '{"a": 1', "functions.add:0")),
    ),
    Golden(
        "spaces",
        f"{BEGIN}\n<|tool_call_begin|> functions.add:0 <|tool_call_argument_begin|> {SUM} "
        f"<|tool_call_end|>\n{END}",
        said(None, ("add", SUM, "functions.add:0")),
    ),
    Golden("other ids", BEGIN + call("add", SUM) + END, said(None, ("add", SUM, "add"))),
    Golden(
        "other ids",
        BEGIN + call("functions.my.tool:v2:13", "{}") + END,
        said(None, ("my.tool:v2", "{}", "functions.my.tool:v2:13")),
    ),
    Golden(
        "no arguments",
        BEGIN + call("functions.now:0", "") + END,
        said(None, ("now", "{}", "functions.now:0")),
    ),
    Golden(
        "nested",
        BEGIN + call("functions.f:0", '{"a": [{"}": "<|tool_call_end|>\\"é"}]}') + END,
        said(None, ("f", '{"a": [{"}": "<|tool_call_end|>\\"é"}]}', "functions.f:0")),
    ),
]
