"""Outputs of DeepSeek V3 and R1."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

BEGIN, END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"


def call(name: str, arguments: str) -> str:
    return (
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```"
        "<｜tool▁call▁end｜>"
    )


WEATHER, ADD = call("get_weather", PARIS), call("add", SUM)

GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}\n{ADD}{END}"),
    is_content(f"{BEGIN}<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_wea"),
    is_content(
        f"{BEGIN}<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\nParis\n```"
    ),
    is_content(f"{BEGIN}nothing{END}"),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{{"a": 1',
        said(None, ("get_weather", PARIS), ("add", '{"a": 1')),
    ),
    Golden("unclosed", f"{BEGIN}{WEATHER[:-20]}", said(None, ("get_weather", PARIS))),
    Golden(
        "no block",
        f"{BEGIN}<｜tool▁call▁begin｜>add<｜tool▁sep｜>{SUM}<｜tool▁call▁end｜>{END}",
        said(None, ("add", SUM)),
    ),
    Golden(
        "other letters",
        f"<｜tool_calls_begin｜>function<｜tool▁sep｜>add\n```json\n{SUM}\n```<｜tool▁call▁end｜>{END}",
        said(None, ("add", SUM)),
    ),
    Golden("no arguments", f"{BEGIN}{call('now', '{}')}{END}", said(None, ("now", "{}"))),
    Golden("no arguments", f"{BEGIN}{call('now', '')}{END}", said(None, ("now", "{}"))),
    Golden(
        "nested",
        BEGIN + call("f", '{\n "a": [{"}": "```<｜tool▁call▁end｜>\\"é"}]\n}') + END,
        said(None, ("f", '{\n "a": [{"}": "```<｜tool▁call▁end｜>\\"é"}]\n}')),
    ),
]
