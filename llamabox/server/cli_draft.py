"""The flags of the draft model, and how its file is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..params import ModelParams
from .cli_parser import FlagGroup

__all__ = ["add_draft_model", "draft_model_params"]

NO_DEVICES = "none"


def add_draft_model(group: FlagGroup) -> None:
    group.value(
        "-md",
        "--model-draft",
        dest="draft_model",
        type=Path,
        metavar="FILE",
        help="GGUF file of a smaller model of the same vocabulary, which drafts tokens\n"
        "(default: none)",
    )
    group.value(
        "-ngld",
        "--gpu-layers-draft",
        "--n-gpu-layers-draft",
        dest="n_gpu_layers_draft",
        type=int,
        metavar="N",
        help="Layers of the draft model to store in VRAM (default: -1, all)",
    )
    group.value(
        "-devd",
        "--device-draft",
        dest="devices_draft",
        type=_devices,
        metavar="NAME,NAME|none",
        help="Devices that those go to, of --list-devices (default: all)",
    )
    group.value(
        "-cd",
        "--ctx-size-draft",
        dest="n_ctx_draft",
        type=int,
        metavar="N",
        help="Tokens of a session that the draft model reads at most (default: 0, as -c)",
    )


def draft_model_params(given: Mapping[str, Any]) -> ModelParams:
    """How the draft model of the flags in ``given`` is loaded."""
    names = (("n_gpu_layers_draft", "n_gpu_layers"), ("devices_draft", "devices"))
    return ModelParams(**{field: given[flag] for flag, field in names if flag in given})


def _devices(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError(text)
    return () if names == (NO_DEVICES,) else names
