"""The flags of the draft model, and how its file is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..params import ModelParams
from .cli_loading import layers, named_devices
from .cli_parser import FlagGroup

__all__ = ["add_draft_model", "draft_model_params"]

SOURCES = ("draft_model", "hub_draft_model", "hf_repo_draft")


def add_draft_model(group: FlagGroup) -> None:
    group.value(
        "-md",
        "--model-draft",
        "--spec-draft-model",
        dest="draft_model",
        type=Path,
        metavar="FILE",
        help="GGUF file of a smaller model of the same vocabulary, which drafts tokens\n"
        "(default: none)",
    )
    group.value(
        "-ngld",
        "--gpu-layers-draft",
        "--spec-draft-ngl",
        "--n-gpu-layers-draft",
        dest="n_gpu_layers_draft",
        type=layers,
        metavar="N",
        help="Layers of the draft model to store in VRAM (default: -1, all)",
    )
    group.value(
        "-devd",
        "--device-draft",
        "--spec-draft-device",
        dest="devices_draft",
        type=named_devices,
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
    """How the draft model of the flags in ``given`` is loaded.

    :raises InvalidRequest: a value is out of range, or there is no draft model.
    """
    if not any(name in given for name in SOURCES):
        for name in ("n_gpu_layers_draft", "devices_draft", "n_ctx_draft"):
            if name in given:
                raise InvalidRequest("there is no draft model; --model-draft names it", param=name)
    names = (("n_gpu_layers_draft", "n_gpu_layers"), ("devices_draft", "devices"))
    try:
        return ModelParams(**{field: given[flag] for flag, field in names if flag in given})
    except InvalidRequest as error:
        message = str(error).partition(": ")[2]
        raise InvalidRequest(message, param=f"{error.param}_draft") from None
