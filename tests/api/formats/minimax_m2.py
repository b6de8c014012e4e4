"""Outputs of MiniMax M2."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

WEATHER = '<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n</invoke>'
ADD = (
    '<invoke name="add">\n<parameter name="a">1</parameter>\n<parameter name="b">2.5</parameter>\n'
    "</invoke>"
)
BEGIN, END = "<minimax:tool_call>\n", "\n</minimax:tool_call>"

GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}\n{ADD}{END}"),
    is_content("<minimax:tool_call>\n<invoke"),
    is_content('<minimax:tool_call>\n<invoke name="get_weather'),
    is_content("<minimax:tool_call>\nnothing\n</minimax:tool_call>"),
    Golden(
        "broken",
        f'{BEGIN}<invoke name="get_weather">\n<parameter name="city">Par',
        said(None, ("get_weather", '{"city": "Par')),
    ),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}\n<invoke name="add">\n<parameter name="a',
        said(None, ("get_weather", PARIS), ("add", "")),
    ),
    Golden(
        "no arguments", f'{BEGIN}<invoke name="now">\n</invoke>{END}', said(None, ("now", "{}"))
    ),
    Golden(
        "groups",
        f"{BEGIN}{WEATHER}{END}\n{BEGIN}{ADD}{END}",
        said(None, ("get_weather", PARIS), ("add", SUM)),
    ),
    Golden(
        "special characters",
        f'{BEGIN}<invoke name="get_weather">\n<parameter name="city"><b>"\\n"</b>\n</invoke> é'
        f"</parameter>\n</invoke>{END}",
        said(None, ("get_weather", '{"city": "<b>\\"\\\\n\\"</b>\\n</invoke> é"}')),
    ),
    Golden(
        "nested",
        f'{BEGIN}<invoke name="f"><parameter name="o">{{"a": [{{"b": "</parameter>"}}]}}'
        f"</parameter></invoke>{END}",
        said(None, ("f", '{"o": {"a": [{"b": "</parameter>"}]}}')),
    ),
]
