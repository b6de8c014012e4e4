"""Outputs of Command R and R+."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

WEATHER = (
    '    {\n        "tool_name": "get_weather",\n        "parameters": {"city": "Paris"}\n    }'
)
ADD = '    {\n        "tool_name": "add",\n        "parameters": {"a": 1, "b": 2.5}\n    }'

GOLDEN = [
    *usual(
        f"Action:\n```json\n[\n{WEATHER}\n]```", f"Action:\n```json\n[\n{WEATHER},\n{ADD}\n]\n```"
    ),
    is_content("Action:\n```json\n[\n    {"),
    is_content("Action:\n```json\n[]\n```"),
    is_content("Action: none.\n```json\n{}\n```"),
    Golden(
        "broken",
        'Action: ```json\n[{"tool_name": "get_weather", "parameters": {"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden("unclosed", f"Action:\n```json\n[\n{WEATHER}", said(None, ("get_weather", PARIS))),
    Golden(
        "nested",
        'Action:\n```json\n[{"tool_name": "f", "parameters": {"a": ["]```", {"}": "\\"é"}]}}]```',
        said(None, ("f", '{"a": ["]```", {"}": "\\"é"}]}')),
    ),
    Golden(
        "no arguments",
        'Action:\n```json\n[{"tool_name": "now", "parameters": {}}]```',
        said(None, ("now", "{}")),
    ),
]
