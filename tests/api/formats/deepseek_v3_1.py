"""Outputs of DeepSeek V3.1."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

BEGIN, END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"


def call(name: str, arguments: str) -> str:
    return f"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>"


WEATHER, ADD = call("get_weather", PARIS), call("add", SUM)

GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}{ADD}{END}"),
    is_content(f"{BEGIN}<｜tool▁call▁begin｜>get_wea"),
    is_content(f"{BEGIN}<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>Paris"),
    is_content(f"{BEGIN}nothing{END}"),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}<｜tool▁call▁begin｜>add<｜tool▁sep｜>{{"a": 1',
        said(None, ("get_weather", PARIS), ("add", '{"a": 1')),
    ),
    Golden("function", f"{BEGIN}{call('function', SUM)}{END}", said(None, ("function", SUM))),
    Golden("no arguments", f"{BEGIN}{call('now', '{}')}{END}", said(None, ("now", "{}"))),
    Golden("no arguments", f"{BEGIN}{call('now', '')}{END}", said(None, ("now", "{}"))),
    Golden(
        "nested",
        BEGIN + call("f", '{"a": [{"}": "<｜tool▁call▁end｜>\\"é"}]}') + END,
        said(None, ("f", '{"a": [{"}": "<｜tool▁call▁end｜>\\"é"}]}')),
    ),
]
