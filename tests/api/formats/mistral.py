"""Outputs of Mistral v3 and v7."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

WEATHER = f'{{"name": "get_weather", "arguments": {PARIS}, "id": "call00001"}}'
ADD = f'{{"name": "add", "arguments": {SUM}, "id": "call00002"}}'
ONE = f"[TOOL_CALLS][{WEATHER}]"

GOLDEN = [
    # An id that comes behind the arguments is too late for a stream.
    *usual(ONE, f"[TOOL_CALLS][{WEATHER}, {ADD}]"),
    is_content('[TOOL_CALLS][{"na'),
    is_content("[TOOL_CALLS] is a token"),
    is_content("[TOOL_CALLS]"),
    is_content("[TOOL_CALLS][1, 2]"),
    Golden(
        "broken",
        '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "id first",
        f'[TOOL_CALLS] [{{"id": "call00001", "name": "get_weather", "arguments": {PARIS}}}]',
        said(None, ("get_weather", PARIS, "call00001")),
    ),
    Golden("two", f"{ONE}\n[TOOL_CALLS][{ADD}]", said(None, ("get_weather", PARIS), ("add", SUM))),
    Golden(
        "named",
        f"[TOOL_CALLS]get_weather[ARGS]{PARIS}[TOOL_CALLS]add{SUM}",
        said(None, ("get_weather", PARIS), ("add", SUM)),
    ),
    Golden(
        "reasoning",
        f"[THINK]Hm.\n[/THINK]Let me look.{ONE}",
        said("Let me look.", ("get_weather", PARIS), reasoning="Hm."),
    ),
    Golden(
        "nested",
        '[TOOL_CALLS][{"name": "f", "arguments": {"a": [{"}": "[TOOL_CALLS]\\"é"}]}}]',
        said(None, ("f", '{"a": [{"}": "[TOOL_CALLS]\\"é"}]}')),
    ),
]
