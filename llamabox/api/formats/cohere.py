"""Cohere: Command R and R+, which write a plan in Markdown, and Command R7B and its successors,
which have markers for everything."""

from __future__ import annotations

from .call_object import CallKeys
from .object_lists import ListSyntax, list_format

_KEYS = CallKeys(
    name=("tool_name", "name"), arguments=("parameters", "arguments"), id=("tool_call_id", "id")
)

COMMAND_R = list_format(
    "command-r",
    lambda template: "Action:\\n```json" in template,
    ListSyntax(
        begin=("Action:\n```json", "Action: ```json", "Action:```json"),
        end=("```",),
        brackets=("\n[\n    ", "\n]"),
        between=",\n    ",
        keys=_KEYS,
    ),
)
COMMAND_R7B = list_format(
    "command-r7b",
    lambda template: "<|START_ACTION|>" in template,
    ListSyntax(
        begin=("<|START_ACTION|>",),
        end=("<|END_ACTION|>",),
        brackets=("[\n    ", "\n]"),
        between=",\n    ",
        keys=_KEYS,
        id_regex="[0-9]{1,3}",
        is_id_first=True,
        thoughts={"<|START_THINKING|>": "<|END_THINKING|>"},
        silent=(
            "<|START_RESPONSE|>",
            "<|END_RESPONSE|>",
            "<|START_TEXT|>",
            "<|END_TEXT|>",
            "<|END_THINKING|>",
            "<|END_OF_TURN_TOKEN|>",
        ),
    ),
)
