"""The flags of context shift."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_context_shift"]


def add_context_shift(group: FlagGroup) -> None:
    group.add(
        "--context-shift",
        dest="context_shift",
        action="store_true",
        default=False,
        help="Shift a context that is full, instead of ending the output there",
    )
    group.add(
        "--no-context-shift",
        dest="context_shift",
        action="store_false",
        help="End the output where the context is full (default)",
    )
    group.value(
        "--keep",
        dest="n_keep",
        type=int,
        metavar="N",
        help="Prompt tokens that a context shift keeps (default: 0, -1 = all)",
    )
