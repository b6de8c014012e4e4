"""Qwen3-Coder, Qwen3.5, Nemotron 3, StepFun, and Seed-OSS with tags of its own around calls."""

from __future__ import annotations

from .tags import TagSyntax, tag_format

_QWEN = TagSyntax(
    around=(("<tool_call>", "</tool_call>"),),
    call=("<function=", "</function>"),
    argument=("<parameter=", "</parameter>"),
    padding="\n",
    is_wrapped_each=True,
)
_SEED = TagSyntax(
    around=(("<seed:tool_call>", "</seed:tool_call>"),),
    call=("<function=", "</function>"),
    argument=("<parameter=", "</parameter>"),
    is_wrapped_each=True,
    thoughts={"<seed:think>": "</seed:think>"},
)

QWEN_CODER = tag_format(
    "qwen-coder",
    lambda template: "<function=" in template and "<parameter=" in template,
    _QWEN,
)
SEED_OSS = tag_format("seed-oss", lambda template: "<seed:tool_call>" in template, _SEED)
