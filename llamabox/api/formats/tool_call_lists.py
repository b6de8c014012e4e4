"""Formats that are nothing but a list of objects between markers of their own."""

from __future__ import annotations

from .object_lists import ListSyntax, list_format

APRIEL = list_format(
    "apriel",
    lambda template: "[BEGIN FINAL RESPONSE]" in template and "<tool_calls>" in template,
    ListSyntax(
        begin=("<tool_calls>",),
        end=("</tool_calls>",),
        thoughts={
            "Here are my reasoning steps:": "[BEGIN FINAL RESPONSE]",
            "<thinking>": "</thinking>",
        },
        silent=("[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"),
    ),
)
"""Apriel 1.5 and 1.6."""

TOOL_CALLS = list_format(
    "tool-calls",
    lambda template: "<tool_calls>" in template,
    ListSyntax(
        begin=("<tool_calls>",),
        end=("</tool_calls>",),
        brackets=("\n", "\n"),
        between="\n",
    ),
)
"""MiniMax M1, an object on each line; Hunyuan, which writes a list."""

NEMOTRON = list_format(
    "nemotron",
    lambda template: "<TOOLCALL>" in template,
    ListSyntax(begin=("<TOOLCALL>",), end=("</TOOLCALL>",)),
)
"""Nemotron Nano 2."""

GRANITE = list_format(
    "granite",
    lambda template: "<|start_of_role|>" in template and "<|tool_call|>" in template,
    ListSyntax(
        begin=("<|tool_call|>", "<tool_call>"),
        end=("</tool_call>",),
        around=("<response>", "</response>"),
    ),
)
"""Granite 3; 4 writes as Hermes does."""

PHI = list_format(
    "phi",
    lambda template: "<|/tool|>" in template,
    ListSyntax(begin=("<|tool_call|>", "functools"), end=("<|/tool_call|>",)),
)
"""Phi-4-mini."""

FIREFUNCTION = list_format(
    "firefunction",
    lambda template: "functools[" in template,
    ListSyntax(begin=(" functools", "functools")),
)
"""Firefunction v2."""

GIGACHAT = list_format(
    "gigachat",
    lambda template: "<|role_sep|>" in template and "<|function_call|>" in template,
    ListSyntax(begin=("<|function_call|>",), brackets=("", ""), silent=("<|message_sep|>",)),
)
"""GigaChat 3.1."""

GIGACHAT_3 = list_format(
    "gigachat-3",
    lambda template: "<|role_sep|>" in template and "function call" in template,
    ListSyntax(
        begin=("<|message_sep|>\n\nfunction call<|role_sep|>\n", "function call<|role_sep|>\n"),
        brackets=("", ""),
        silent=("<|message_sep|>",),
        trigger="<|role_sep|>",
    ),
)
"""GigaChat 3, whose calls are turns of their own."""
