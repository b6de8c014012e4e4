"""Outputs of Mistral Small 3.2."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

ONE = f"[TOOL_CALLS]get_weather[CALL_ID]call00001[ARGS]{PARIS}"
TWO = f'{ONE}[TOOL_CALLS]add[CALL_ID]call00002[ARGS]{{"a": 1, "b": 2.5}}'

GOLDEN = [
    *usual(ONE, TWO, ids=("call00001", "call00002")),
    is_content("[TOOL_CALLS]get_wea"),
    is_content("[TOOL_CALLS]get_weather[ARGS]"),
    is_content("[TOOL_CALLS]get_weather[ARGS]city: Paris"),
    is_content("[ARGS] and [TOOL_CALLS] are tokens"),
    Golden(
        "broken",
        '[TOOL_CALLS]get_weather[CALL_ID]call00001[ARGS]{"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa', "call00001")),
    ),
    Golden(
        "nested",
        '[TOOL_CALLS]f[CALL_ID]call00001[ARGS]{"a": [{"}": "[TOOL_CALLS]\\"é"}]}',
        said(None, ("f", '{"a": [{"}": "[TOOL_CALLS]\\"é"}]}', "call00001")),
    ),
    Golden(
        "no arguments",
        "[TOOL_CALLS]now[CALL_ID]call00001[ARGS]{}",
        said(None, ("now", "{}", "call00001")),
    ),
    Golden(
        "reasoning",
        f"[THINK]\nHm, {{1}} [.[/THINK]\n{ONE}",
        said(None, ("get_weather", PARIS, "call00001"), reasoning="Hm, {1} [."),
    ),
]
