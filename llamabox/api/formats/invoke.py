"""``<invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>``: MiniMax M2,
DeepSeek V3.2 and V4; and MiniCPM5, which calls the tags ``function`` and ``param``."""

from __future__ import annotations

import dataclasses

from .tags import TagSyntax, tag_format

_MINIMAX = TagSyntax(
    around=(("<minimax:tool_call>", "</minimax:tool_call>"),),
    call=('<invoke name="', "</invoke>"),
    argument=('<parameter name="', "</parameter>"),
    after_name='"',
)


def _is_string(json_type: str) -> str:
    return f' string="{"true" if json_type == "string" else "false"}"'


_V4_AROUND = ("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>")
_V3_AROUND = ("<｜DSML｜function_calls>", "</｜DSML｜function_calls>")
_DEEPSEEK = TagSyntax(
    around=(_V4_AROUND, _V3_AROUND),
    call=('<｜DSML｜invoke name="', "</｜DSML｜invoke>"),
    argument=('<｜DSML｜parameter name="', "</｜DSML｜parameter>"),
    after_name='"',
    attribute=_is_string,
)
_MINICPM = TagSyntax(
    call=('<function name="', "</function>"),
    argument=('<param name="', "</param>"),
    after_name='"',
)

MINIMAX_M2 = tag_format("minimax-m2", lambda template: "<minimax:tool_call>" in template, _MINIMAX)
DEEPSEEK_V3_2 = tag_format(
    "deepseek-v3.2",
    lambda template: "｜DSML｜" in template and "function_calls>" in template,
    dataclasses.replace(_DEEPSEEK, around=(_V3_AROUND, _V4_AROUND)),
)
DEEPSEEK_V4 = tag_format("deepseek-v4", lambda template: "｜DSML｜" in template, _DEEPSEEK)
MINICPM = tag_format(
    "minicpm",
    lambda template: '<function name="' in template and '<param name="' in template,
    _MINICPM,
)
