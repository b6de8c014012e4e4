"""Outputs of GigaChat 3."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

WEATHER = f'{{"name": "get_weather", "arguments": {PARIS}}}'
ADD = f'{{"name": "add", "arguments": {SUM}}}'
BEGIN, END = "<|message_sep|>\n\nfunction call<|role_sep|>\n", "<|message_sep|>\n\n"

GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}\n{ADD}{END}"),
    is_content(f'{BEGIN}{{"na'),
    is_content(f"{BEGIN}nothing"),
    is_content("function call<|role_sep|>"),
    Golden(
        "broken",
        f'{BEGIN}{{"name": "get_weather", "arguments": {{"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}\n{{"name": 3}}',
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
]
