"""Outputs of DeepSeek V3.2."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

WEATHER = (
    '<｜DSML｜invoke name="get_weather">\n'
    '<｜DSML｜parameter name="city" string="true">Paris</｜DSML｜parameter>\n</｜DSML｜invoke>'
)
ADD = (
    '<｜DSML｜invoke name="add">\n'
    '<｜DSML｜parameter name="a" string="false">1</｜DSML｜parameter>\n'
    '<｜DSML｜parameter name="b" string="false">2.5</｜DSML｜parameter>\n</｜DSML｜invoke>'
)
BEGIN, END = "<｜DSML｜function_calls>\n", "\n</｜DSML｜function_calls>"


def call(argument: str) -> str:
    return f'{BEGIN}<｜DSML｜invoke name="f">{argument}</｜DSML｜invoke>{END}'


GOLDEN = [
    *usual(f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}\n{ADD}{END}"),
    is_content("<｜DSML｜function_calls>\n<｜DSML｜inv"),
    is_content("<｜DSML｜function_calls> is how calls begin"),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}\n<｜DSML｜invoke name="add">\n<｜DSML｜parameter name="a" str',
        said(None, ("get_weather", PARIS), ("add", "")),
    ),
    Golden("no arguments", call(""), said(None, ("f", "{}"))),
    Golden(
        "typed",
        call('<｜DSML｜parameter name="a" string="true">12</｜DSML｜parameter>'),
        said(None, ("f", '{"a": "12"}')),
    ),
    Golden(
        "typed",
        call('<｜DSML｜parameter name="a" string="false">[{"b": "é"}]</｜DSML｜parameter>'),
        said(None, ("f", '{"a": [{"b": "é"}]}')),
    ),
    Golden(
        "typed",
        call('<｜DSML｜parameter name="a" string="false">no JSON</｜DSML｜parameter>'),
        said(None, ("f", '{"a": "no JSON"}')),
    ),
    Golden(
        "special characters",
        call('<｜DSML｜parameter name="a" string="true"><｜DSML｜"\\\n</｜DSML｜parameter>'),
        said(None, ("f", '{"a": "<｜DSML｜\\"\\\\\\n"}')),
    ),
]
