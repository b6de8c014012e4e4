"""The flags of the model: where it comes from, what it is called, how it is served at first."""

from __future__ import annotations

from pathlib import Path

from .cli_adapters import add_adapters
from .cli_hub import add_hub
from .cli_parser import FlagGroup
from .cli_switch import switch

__all__ = ["add_attention", "add_model", "add_warmup"]


def add_model(group: FlagGroup) -> None:
    group.value(
        "-m",
        "--model",
        type=Path,
        metavar="FILE",
        help="GGUF file (default: the small model inside the package)",
    )
    add_hub(group)
    add_adapters(group)
    group.value("-a", "--alias", metavar="NAME", help="Name of the model in replies")


def add_attention(group: FlagGroup) -> None:
    group.switch(
        "--no-flash-attn", dest="flash_attention", to="off", text="Disable Flash Attention"
    )
    group.value(
        "-fa",
        "--flash-attn",
        dest="flash_attention",
        nargs="?",
        const="on",
        type=switch,
        metavar="[on|off|auto]",
        help="Flash Attention (default: auto, by a trial at the start)",
    )
    group.switch(
        "--swa-full", dest="swa_full", text="Keep all cells of sliding windows (default: disabled)"
    )


def add_warmup(group: FlagGroup) -> None:
    group.switch(
        "--no-warmup",
        dest="warmup",
        to=False,
        text="Do not warm up the model with an empty run",
    )
    group.switch("--warmup", dest="warmup", text="Warm up the model with an empty run (default)")
