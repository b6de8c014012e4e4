"""Outputs of Seed-OSS."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

ONE = (
    "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Paris</parameter>\n</function>\n"
    "</seed:tool_call>"
)
ADD = (
    "<seed:tool_call>\n<function=add>\n<parameter=a>1</parameter>\n<parameter=b>2.5</parameter>\n"
    "</function>\n</seed:tool_call>"
)

GOLDEN = [
    *usual(ONE, f"{ONE}\n{ADD}"),
    is_content("<seed:tool_call>\n<function=get"),
    is_content("<seed:tool_call>Paris</seed:tool_call>"),
    Golden(
        "broken",
        "<seed:tool_call><function=get_weather><parameter=city>\n Pa",
        said(None, ("get_weather", '{"city": "\\n Pa')),
    ),
    Golden(
        "reasoning",
        f"<seed:think>\nI look.\nNow. </seed:think>\nLet me look.\n{ONE}",
        said("Let me look.", ("get_weather", PARIS), reasoning="I look.\nNow."),
    ),
    Golden("reasoning", "<seed:think>Hm \n", said("", reasoning="Hm")),
    Golden(
        "special characters",
        '<seed:tool_call><function=get_weather><parameter=city>"\\</parameter> {é}\n</parameter>\n'
        "</function></seed:tool_call>",
        said(None, ("get_weather", '{"city": "\\"\\\\</parameter> {é}\\n"}')),
    ),
]
