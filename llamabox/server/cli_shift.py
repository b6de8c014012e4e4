"""The flags of context shift."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_context_shift"]


def add_context_shift(group: FlagGroup) -> None:
    group.switch(
        "--no-context-shift",
        dest="context_shift",
        to=False,
        text="End the output where the context is full (default)",
    )
    group.switch(
        "--context-shift",
        dest="context_shift",
        text="Shift a context that is full, instead of ending the output there",
    )
    group.value(
        "--keep",
        dest="n_keep",
        type=int,
        metavar="N",
        help="Prompt tokens that a context shift keeps (default: 0, -1 = all)",
    )
