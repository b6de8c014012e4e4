"""The flags of cells: their types and places, and the positions they stand for."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

from ..params import CACHE_TYPES, ROPE_SCALINGS, RopeParams
from .cli_parser import FlagGroup

__all__ = ["add_cells", "add_rope", "rope_params"]


def add_rope(group: FlagGroup) -> None:
    group.value(
        "--rope-scaling",
        dest="rope_scaling",
        choices=ROPE_SCALINGS[1:],
        metavar="{" + ",".join(ROPE_SCALINGS[1:]) + "}",
        help="RoPE scaling (default: the model's, or linear)",
    )
    group.value(
        "--rope-scale",
        dest="rope_freq_scale",
        type=_reciprocal,
        metavar="N",
        help="Context that RoPE is stretched to, times the model's",
    )
    settings = (
        ("--rope-freq-base", "rope_freq_base", float, "RoPE base frequency (default: the model's)"),
        (
            "--rope-freq-scale",
            "rope_freq_scale",
            float,
            "RoPE frequency factor, 1/N stretches the context by N (default: the model's)",
        ),
        (
            "--yarn-orig-ctx",
            "yarn_orig_ctx",
            int,
            "YaRN: tokens of context the model was trained on (default: 0, the model's)",
        ),
        (
            "--yarn-ext-factor",
            "yarn_ext_factor",
            float,
            "YaRN: extrapolation mix factor (default: -1.0, the model's; 0.0 = full interpolation)",
        ),
        (
            "--yarn-attn-factor",
            "yarn_attn_factor",
            float,
            "YaRN: factor of the attention's magnitude (default: -1.0, the model's, or 1.0)",
        ),
        (
            "--yarn-beta-fast",
            "yarn_beta_fast",
            float,
            "YaRN: low correction dim or beta (default: -1.0, the model's, or 32.0)",
        ),
        (
            "--yarn-beta-slow",
            "yarn_beta_slow",
            float,
            "YaRN: high correction dim or alpha (default: -1.0, the model's, or 1.0)",
        ),
    )
    for flag, dest, kind, text in settings:
        group.value(flag, dest=dest, type=kind, metavar="N", help=text)


def rope_params(given: Mapping[str, Any]) -> RopeParams:
    """The RoPE scaling of the flags in ``given``."""
    names = [field.name for field in dataclasses.fields(RopeParams)]
    return RopeParams(**{name: given[name] for name in names if name in given})


def add_cells(group: FlagGroup) -> None:
    group.switch(
        "-nkvo",
        "--no-kv-offload",
        dest="kv_offload",
        to=False,
        text="Keep cells in RAM, also of layers in VRAM",
    )
    group.switch(
        "-kvo", "--kv-offload", dest="kv_offload", text="Keep cells where the layers are (default)"
    )
    notes = (
        ("k", "keys", "f16 cannot be shifted"),
        ("v", "values", "bf16 need flash attention"),
    )
    for letter, whose, note in notes:
        group.value(
            f"-ct{letter}",
            f"--cache-type-{letter}",
            dest=f"cache_type_{letter}",
            choices=CACHE_TYPES,
            metavar="TYPE",
            help=f"Type of the cells' {whose}: {', '.join(CACHE_TYPES)}\n"
            f"(default: f16; those after {note})",
        )
    group.idle(
        "-dt",
        "--defrag-thold",
        metavar="N",
        warning="has no effect: llama.cpp finds room for cells without it",
        text="Accepted without effect: cells need no defragmentation",
    )
    group.switch(
        "--op-offload", dest="op_offload", text="GPUs compute on weights in RAM too (default)"
    )
    group.switch(
        "--no-op-offload", dest="op_offload", to=False, text="CPUs compute on weights in RAM"
    )


def _reciprocal(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not scale > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return 1 / scale
