"""Outputs of MiniCPM5."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import is_content, usual

ONE = '<function name="get_weather"><param name="city">Paris</param></function>'
ADD = '<function name="add"><param name="a">1</param><param name="b">2.5</param></function>'

GOLDEN = [
    *usual(ONE, f"{ONE}\n{ADD}"),
    is_content('<function name="get_weat'),
    is_content("<function ... </function>"),
    Golden(
        "broken",
        '<function name="get_weather"><param name="city">Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden("no arguments", '<function name="now"></function>', said(None, ("now", "{}"))),
    Golden(
        "CDATA",
        '<function name="get_weather"><param name="city"><![CDATA[<b>\n"é" ]] </param>]]></param>'
        "</function>",
        said(None, ("get_weather", '{"city": "<b>\\n\\"é\\" ]] </param>"}')),
    ),
    Golden(
        "broken",
        '<function name="get_weather"><param name="city"><![CDATA[<b>',
        said(None, ("get_weather", '{"city": "<b>')),
    ),
    Golden(
        "nested",
        '<function name="f"><param name="o">{"a": ["</b>"]}</param></function>',
        said(None, ("f", '{"o": {"a": ["</b>"]}}')),
    ),
]
