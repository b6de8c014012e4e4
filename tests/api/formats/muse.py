"""Outputs of Muse."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual


def message(name: str, arguments: str, end: str) -> str:
    return (
        f' to={name}<|message|><atem:function_calls>\n<atem:invoke name="{name}">\n{arguments}\n'
        f"</atem:invoke>\n</atem:function_calls>{end}"
    )


CITY = '<atem:parameter name="city">Paris</atem:parameter>'
NUMBERS = (
    '<atem:parameter name="a">1</atem:parameter>\n<atem:parameter name="b">2.5</atem:parameter>'
)
ONE = message("get_weather", CITY, "<|eot|>")
TWO = (
    message("get_weather", CITY, "<|eom|>")
    + "<|start|>assistant"
    + message("add", NUMBERS, "<|eot|>")
)

GOLDEN = [
    *usual(ONE, TWO, before=" to=user<|message|>{text}<|eom|><|start|>assistant{call}"),
    is_content("<atem:function_calls>\n<atem:inv"),
    is_content("<atem:function_calls> begins calls"),
    Golden(
        "broken",
        ' to=get_weather<|message|><atem:function_calls>\n<atem:invoke name="get_weather">\n'
        '<atem:parameter name="city">Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden("plain", " to=user<|message|>Hello.<|eot|>", said("Hello.")),
    Golden(
        "reasoning",
        f" to=self<|message|>I look.\nNow.<|eom|><|start|>assistant{ONE}",
        said(None, ("get_weather", PARIS), reasoning="I look.\nNow."),
    ),
    Golden(
        "reasoning",
        " to=self<|message|>Hm.<|eom|><|start|>assistant to=user<|message|>Hello.<|eot|>",
        said("Hello.", reasoning="Hm."),
    ),
    Golden("reasoning", " to=self<|message|>Hm", said("", reasoning="Hm")),
    Golden(
        "special characters",
        message("get_weather", '<atem:parameter name="city"></atem:x> "é"\\</atem:parameter>', ""),
        said(None, ("get_weather", '{"city": "</atem:x> \\"é\\"\\\\"}')),
    ),
]
