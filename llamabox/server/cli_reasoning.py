"""The flags of reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidRequest
from ..params import REASONING_EFFORTS, REASONING_FORMATS, ReasoningParams
from .cli_parser import FlagGroup
from .cli_switch import switch

__all__ = ["add_reasoning", "reasoning_params"]

SWITCH = {"on": True, "off": False, "auto": None}
FIELDS = {
    "reasoning_enabled": "enabled",
    "reasoning_effort": "effort",
    "reasoning_budget": "budget",
    "reasoning_budget_message": "budget_message",
    "reasoning_format": "format",
}
"""Fields of `ReasoningParams` by the names of the flags' values."""


def add_reasoning(group: FlagGroup) -> None:
    group.switch(
        "--enable-reasoning",
        dest="reasoning_enabled",
        to="auto",
        text="Let models reason, as their chat templates have it (default)",
    )
    group.switch(
        "--no-enable-reasoning",
        dest="reasoning_enabled",
        to="off",
        text="Have the chat template tell the model not to reason; where it begins the reasoning\n"
        "all the same, end that at once",
    )
    group.value(
        "-rea",
        "--reasoning",
        dest="reasoning_enabled",
        type=switch,
        metavar="[on|off|auto]",
        help="The same by llama-server's name; on: also where the template has an own default",
    )
    group.value(
        "--reasoning-format",
        dest="reasoning_format",
        choices=REASONING_FORMATS,
        metavar="FORMAT",
        help="Where reasoning is told (default: auto)\n"
        "  - none: in the content, as the model wrote it\n"
        "  - deepseek, auto: in reasoning_content\n"
        "  - deepseek-legacy: in both",
    )
    group.value(
        "--reasoning-budget",
        dest="reasoning_budget",
        type=int,
        metavar="N",
        help="Tokens that reasoning may take, then its end is forced; 0 as --no-enable-reasoning\n"
        "(default: -1, no limit)",
    )
    group.value(
        "--reasoning-budget-message",
        dest="reasoning_budget_message",
        metavar="TEXT",
        help="Text that is put in front of a forced end (default: none)",
    )
    group.value(
        "--reasoning-effort",
        dest="reasoning_effort",
        choices=("default", *REASONING_EFFORTS),
        metavar="LEVEL",
        help=f"What chat templates are given as reasoning_effort:\n{', '.join(REASONING_EFFORTS)}\n"
        "(default: default, nothing)",
    )


def reasoning_params(given: Mapping[str, Any]) -> ReasoningParams:
    """What the flags in ``given`` say of reasoning.

    :raises InvalidRequest: a value is out of range; `param` names the flag's.
    """
    values = {field: given[name] for name, field in FIELDS.items() if name in given}
    if "enabled" in values:
        values["enabled"] = SWITCH[values["enabled"]]
    if values.get("effort") == "default":
        del values["effort"]
    try:
        return ReasoningParams(**values)
    except InvalidRequest as error:
        name = next(name for name, field in FIELDS.items() if field == error.param)
        raise error.about(name) from None
