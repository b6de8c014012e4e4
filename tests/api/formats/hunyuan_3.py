"""Outputs of Hunyuan 3."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

WEATHER = (
    "<tool_call:opensource>get_weather<tool_sep:opensource>\n<arg_key:opensource>city"
    "</arg_key:opensource>\n<arg_value:opensource>Paris</arg_value:opensource>\n"
    "</tool_call:opensource>\n"
)
ADD = (
    "<tool_call:opensource>add<tool_sep:opensource>\n<arg_key:opensource>a</arg_key:opensource>\n"
    "<arg_value:opensource>1</arg_value:opensource>\n<arg_key:opensource>b</arg_key:opensource>\n"
    "<arg_value:opensource>2.5</arg_value:opensource>\n</tool_call:opensource>\n"
)
BEGIN, END = "<tool_calls:opensource>\n", "</tool_calls:opensource>"
ONE = f"{BEGIN}{WEATHER}{END}"

GOLDEN = [
    *usual(ONE, f"{BEGIN}{WEATHER}{ADD}{END}"),
    is_content("<tool_calls:opensource>\n<tool_call:open"),
    is_content("<tool_calls:opensource>nothing</tool_calls:opensource>"),
    Golden(
        "broken",
        f"{BEGIN}{WEATHER}<tool_call:opensource>add<tool_sep:opensource>\n<arg_key:opensource>a</arg",
        said(None, ("get_weather", PARIS), ("add", "")),
    ),
    Golden(
        "reasoning",
        f"<think:opensource>Hm.</think:opensource>Let me look.{ONE}",
        said("Let me look.", ("get_weather", PARIS), reasoning="Hm."),
    ),
    Golden(
        "no arguments",
        f"{BEGIN}<tool_call:opensource>now<tool_sep:opensource>\n</tool_call:opensource>\n{END}",
        said(None, ("now", "{}")),
    ),
]
