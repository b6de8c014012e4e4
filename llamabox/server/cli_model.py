"""The flags of the model: where it comes from, how it is loaded."""

from __future__ import annotations

from pathlib import Path

from .cli_hub import add_hub
from .cli_parser import FlagGroup

__all__ = ["add_model"]


def add_model(group: FlagGroup) -> None:
    group.value(
        "-m",
        "--model",
        type=Path,
        metavar="FILE",
        help="GGUF file (default: the small model inside the package)",
    )
    add_hub(group)
    group.value("-a", "--alias", metavar="NAME", help="Name of the model in replies")
    group.value(
        "-ngl",
        "--gpu-layers",
        "--n-gpu-layers",
        dest="n_gpu_layers",
        type=int,
        metavar="N",
        help="Layers to store in VRAM (default: -1, all)",
    )
    group.add(
        "--no-warmup",
        dest="warmup",
        action="store_false",
        help="Do not warm up the model with an empty run",
    )
    group.add(
        "--warmup",
        dest="warmup",
        action="store_true",
        default=True,
        help="Warm up the model with an empty run (default)",
    )
