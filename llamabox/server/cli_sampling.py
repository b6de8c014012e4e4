"""The sampling flags: what a request that names no setting gets."""

from __future__ import annotations

import argparse

from ..errors import InvalidRequest
from ..samplers import DEFAULT_SAMPLERS, samplers_from_chars, samplers_from_names
from .cli_parser import FlagGroup

__all__ = ["add_sampling"]


def add_sampling(group: FlagGroup) -> None:
    """Add the flags of every sampler, with ``GenerationParams``' fields as destinations."""
    group.value("-s", "--seed", type=int, metavar="N", help="RNG seed (default: -1, a random one)")
    settings = (
        ("--temp", "temperature", float, "Temperature (default: 0.8, 0 = greedy)"),
        ("--top-k", "top_k", int, "Top-K sampling (default: 40, 0 = disabled)"),
        ("--top-p", "top_p", float, "Top-P sampling (default: 0.9, 1.0 = disabled)"),
        ("--min-p", "min_p", float, "Min-P sampling (default: 0.1, 0.0 = disabled)"),
        (
            "--repeat-last-n",
            "repeat_last_n",
            int,
            "Last n tokens to penalize (default: 64, 0 = disabled, -1 = context size)",
        ),
        ("--repeat-penalty", "repeat_penalty", float, "Penalty (default: 1.0, 1.0 = disabled)"),
        ("--presence-penalty", "presence_penalty", float, "Penalty (default: 0.0 = disabled)"),
        ("--frequency-penalty", "frequency_penalty", float, "Penalty (default: 0.0 = disabled)"),
        ("--top-nsigma", "top_n_sigma", float, "Top-N-Sigma (default: -1.0 = disabled)"),
        ("--typical", "typical_p", float, "Locally typical sampling (default: 1.0 = disabled)"),
        ("--xtc-probability", "xtc_probability", float, "XTC (default: 0.0 = disabled)"),
        ("--xtc-threshold", "xtc_threshold", float, "XTC threshold (default: 0.1)"),
        ("--dynatemp-range", "dynatemp_range", float, "Dynamic temperature (default: 0.0 = off)"),
        ("--dynatemp-exp", "dynatemp_exponent", float, "Its exponent (default: 1.0)"),
        ("--dry-multiplier", "dry_multiplier", float, "DRY (default: 0.0 = disabled)"),
        ("--dry-base", "dry_base", float, "DRY base (default: 1.75)"),
        ("--dry-allowed-length", "dry_allowed_length", int, "DRY allowed length (default: 2)"),
        (
            "--dry-penalty-last-n",
            "dry_penalty_last_n",
            int,
            "DRY look-back (default: -1, context size; 0 = disabled)",
        ),
        ("--mirostat", "mirostat", int, "Mirostat 1 or 2 (default: 0 = disabled)"),
        ("--mirostat-lr", "mirostat_eta", float, "Mirostat learning rate, eta (default: 0.1)"),
        ("--mirostat-ent", "mirostat_tau", float, "Mirostat target entropy, tau (default: 5.0)"),
    )
    for flag, dest, kind, text in settings:
        group.value(flag, dest=dest, type=kind, metavar="N", help=text)
    group.value(
        "--samplers",
        dest="samplers",
        type=_sampler_names,
        metavar="SAMPLERS",
        help=f"Samplers in their order, separated by ';'\n(default: {';'.join(DEFAULT_SAMPLERS)})",
    )
    group.value(
        "--sampling-seq",
        dest="samplers",
        type=_sampler_letters,
        metavar="SEQUENCE",
        help="The same by their letters (default: edskypmxt)",
    )


def _sampler_names(text: str) -> tuple[str, ...]:
    try:
        return samplers_from_names(text.split(";"))
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _sampler_letters(text: str) -> tuple[str, ...]:
    try:
        return samplers_from_chars(text)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(str(error)) from None
