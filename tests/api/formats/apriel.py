"""Outputs of Apriel 1.5 and 1.6."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

WEATHER = f'{{"name": "get_weather", "arguments": {PARIS}}}'
ADD = f'{{"name": "add", "arguments": {SUM}}}'
BEGIN, END = "<tool_calls>[", "]</tool_calls>"

GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}, {ADD}{END}"),
    is_content(f'{BEGIN}{{"na'),
    is_content(f"{BEGIN}nothing{END}"),
    is_content(BEGIN.strip()),
    Golden(
        "broken",
        f'{BEGIN}{{"name": "get_weather", "arguments": {{"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}, {{"name": 3}}',
        said('{"name": 3}', ("get_weather", PARIS)),
    ),
    Golden("unclosed", f"{BEGIN}{WEATHER}", said(None, ("get_weather", PARIS))),
    Golden(
        "no arguments",
        f'{BEGIN}{{"name": "now", "arguments": {{}}}}{END}',
        said(None, ("now", "{}")),
    ),
    Golden(
        "nested",
        f'{BEGIN}{{"name": "f", "arguments": {{"a": [{{"}}": "]\\"é{END.strip()}"}}]}}}}{END}',
        said(None, ("f", '{"a": [{"}": "]\\"é' + END.strip() + '"}]}')),
    ),
    Golden(
        "reasoning",
        f"Here are my reasoning steps:\nHm.\n[BEGIN FINAL RESPONSE]\nLet me look.\n"
        f"{BEGIN}{WEATHER}{END}",
        said("Let me look.", ("get_weather", PARIS), reasoning="Hm."),
    ),
    Golden(
        "reasoning",
        "Hm.\n[BEGIN FINAL RESPONSE]\nYes.\n[END FINAL RESPONSE]",
        said("Hm.\n\nYes.\n"),
    ),
]
