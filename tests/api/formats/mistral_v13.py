"""Outputs of Ministral 3 and Devstral."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

ONE = f"[TOOL_CALLS]get_weather[ARGS]{PARIS}"
TWO = f'{ONE}[TOOL_CALLS]add[ARGS]{{"a": 1, "b": 2.5}}'

GOLDEN = [
    *usual(ONE, TWO),
    is_content("[TOOL_CALLS]get_wea"),
    is_content("[TOOL_CALLS]get_weather[ARGS]"),
    is_content("[TOOL_CALLS]get_weather[ARGS]city: Paris"),
    is_content("[ARGS] and [TOOL_CALLS] are tokens"),
    Golden(
        "broken",
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "nested",
        '[TOOL_CALLS]f[ARGS]{"a": [{"}": "[TOOL_CALLS]\\"é"}]}',
        said(None, ("f", '{"a": [{"}": "[TOOL_CALLS]\\"é"}]}')),
    ),
    Golden("no arguments", "[TOOL_CALLS]now[ARGS]{}", said(None, ("now", "{}"))),
    Golden(
        "reasoning",
        f"[THINK]\nHm, {{1}} [.[/THINK]\n{ONE}",
        said(None, ("get_weather", PARIS), reasoning="Hm, {1} [."),
    ),
]
