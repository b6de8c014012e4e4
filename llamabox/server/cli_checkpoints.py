"""The flags of checkpoints, of memories that cannot be cut."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_checkpoints"]


def add_checkpoints(group: FlagGroup) -> None:
    group.value(
        "--checkpoint-ram",
        dest="checkpoint_ram",
        type=int,
        metavar="MIB",
        help="RAM for checkpoints of recurrent states and sliding windows (default: 256)",
    )
    group.value(
        "-ctxcp",
        "--ctx-checkpoints",
        "--swa-checkpoints",
        dest="ctx_checkpoints",
        type=int,
        metavar="N",
        help="Such checkpoints at most, times the sessions (default: 32)",
    )
    group.value(
        "-cms",
        "--checkpoint-min-step",
        dest="checkpoint_min_step",
        type=int,
        metavar="N",
        help="Tokens of a long prompt between two checkpoints (default: 8192, 0 = the least)",
    )
