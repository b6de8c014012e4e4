"""Outputs of GLM 4.5 and later, Ling 3, Spark and Laguna."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

ONE = "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>"
ADD = (
    "<tool_call>add\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n<arg_key>b</arg_key>\n"
    "<arg_value>2.5</arg_value>\n</tool_call>"
)


def call(key: str, value: str) -> str:
    return f"<tool_call>f<arg_key>{key}</arg_key><arg_value>{value}</arg_value></tool_call>"


GOLDEN = [
    *usual(ONE, f"{ONE}\n{ADD}"),
    is_content("<tool_call>get_wea"),
    is_content("<tool_call>get_weather\n<arg_k"),
    is_content("<tool_call> the tool, please</tool_call>"),
    Golden(
        "broken",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Pa",
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        "<tool_call>add\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n<arg_key>b",
        said(None, ("add", '{"a": 1')),
    ),
    Golden(
        "one line",
        ONE.replace("\n", "") + ADD.replace("\n", ""),
        said(None, ("get_weather", PARIS), ("add", SUM)),
    ),
    Golden("no arguments", "<tool_call>now\n</tool_call>", said(None, ("now", "{}"))),
    Golden("no arguments", "<tool_call>now</tool_call>", said(None, ("now", "{}"))),
    Golden(
        "one object",
        f'<tool_call>{{"name": "get_weather", "arguments": {PARIS}}}</tool_call>',
        said(None, ("get_weather", PARIS)),
    ),
    Golden(
        "special characters",
        '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value><b>\n"é" </arg_value> \\'
        "</arg_value>\n</tool_call>",
        said(None, ("get_weather", '{"city": "<b>\\n\\"é\\" </arg_value> \\\\"}')),
    ),
    Golden(
        "nested",
        call("o", '{"a": [{"</b>": 1}]}'),
        said(None, ("f", '{"o": {"a": [{"</b>": 1}]}}')),
    ),
    Golden("unknown", call("o", "two words"), said(None, ("f", '{"o": "two words"}'))),
]
