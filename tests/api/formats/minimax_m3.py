"""Outputs of MiniMax M3."""

from __future__ import annotations

from llamabox.api.formats import Tool
from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

NS = "]<]minimax[>["
WEATHER = f'{NS}<invoke name="get_weather">{NS}<city>Paris{NS}</city>{NS}</invoke>'
ADD = f'{NS}<invoke name="add">{NS}<a>1{NS}</a>{NS}<b>2.5{NS}</b>{NS}</invoke>'
BEGIN, END = f"{NS}<tool_call>\n", f"\n{NS}</tool_call>"
DEEP = Tool(
    "f",
    "",
    {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "list": {"type": "array", "items": {"type": "string"}},
            "tree": {"type": "object", "properties": {"item": {"type": "string"}}},
        },
    },
)


def call(written: str, arguments: str) -> Golden:
    text = f'{BEGIN}{NS}<invoke name="f">{written.replace("@", NS)}{NS}</invoke>{END}'
    return Golden("values", text, said(None, ("f", arguments)), (DEEP,))


GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}\n{ADD}{END}"),
    is_content(f"{BEGIN}{NS}<invoke na"),
    is_content(f'{BEGIN}{NS}<invoke name="get_weat'),
    is_content(f"{BEGIN}nothing{END}"),
    Golden(
        "broken",
        f'{BEGIN}{NS}<invoke name="get_weather">{NS}<city>Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}{NS}<invoke name="add">{NS}<a>1{NS}</a>{NS}<b>2',
        said(None, ("get_weather", PARIS), ("add", '{"a": 1')),
    ),
    Golden(
        "reasoning",
        f"<mm:think>Hm.</mm:think>Let me look.{BEGIN}{WEATHER}{END}[e~[",
        said("Let me look.", ("get_weather", PARIS), reasoning="Hm."),
    ),
    call("", "{}"),
    call("@<text>@</text>", '{"text": ""}'),
    call('@<text></text> <b>"é"\n@</text>', '{"text": "</text> <b>\\"é\\"\\n"}'),
    call("@<text>12@</text>", '{"text": "12"}'),
    call("@<n>12@</n>@<t>true@</t>", '{"n": 12, "t": true}'),
    call("@<list>@<item>1@</item>@<item>b@</item>@</list>", '{"list": ["1", "b"]}'),
    call("@<list>@</list>@<tree>@</tree>", '{"list": [], "tree": {}}'),
    call("@<tree>@<item>1@</item>@</tree>", '{"tree": {"item": "1"}}'),
    call("@<o>@<a>@<b>1@</b>@</a>@<c>x@</c>@</o>", '{"o": {"a": {"b": 1}, "c": "x"}}'),
    call("@<o>@<item>@<a>1@</a>@</item>@</o>", '{"o": [{"a": 1}]}'),
    call('@<tree>{"a": [1]}@</tree>', '{"tree": {"a": [1]}}'),
]
