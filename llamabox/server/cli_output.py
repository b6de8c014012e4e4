"""The flags of what an output's text is made of."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_output"]


def add_output(group: FlagGroup) -> None:
    group.value(
        "-sp",
        "--special",
        dest="special",
        action="store_true",
        help="Put the text of control tokens into outputs (default: disabled)",
    )
