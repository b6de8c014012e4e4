"""Outputs of Apertus."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

WEATHER, ADD = '{"get_weather": {"city": "Paris"}}', '{"add": {"a": 1, "b": 2.5}}'
ONE = f"<|tools_prefix|>[{WEATHER}]<|tools_suffix|>"

GOLDEN = [
    *usual(ONE, f"<|tools_prefix|>[{WEATHER}, {ADD}]<|tools_suffix|>"),
    is_content('<|tools_prefix|>[{"get_wea'),
    is_content("<|tools_prefix|>[]"),
    is_content('<|tools_prefix|>[{"get_weather": "Paris"}]'),
    is_content("<|tools_prefix|>[{get_weather: {}}]"),
    Golden(
        "broken",
        '<|tools_prefix|>[{"get_weather": {"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        f"<|tools_prefix|>[{WEATHER}, {{}}]",
        said("{}]", ("get_weather", PARIS)),
    ),
    Golden(
        "no arguments", '<|tools_prefix|>[{"now": {}}]<|tools_suffix|>', said(None, ("now", "{}"))
    ),
    Golden(
        "reasoning",
        f"<|inner_prefix|>I look.<|inner_suffix|>Let me look.{ONE}",
        said("Let me look.", ("get_weather", PARIS), reasoning="I look."),
    ),
    Golden(
        "nested",
        '<|tools_prefix|>[{"f": {"a": [{"}": "<|tools_suffix|>\\"é"}]}}]<|tools_suffix|>',
        said(None, ("f", '{"a": [{"}": "<|tools_suffix|>\\"é"}]}')),
    ),
]
