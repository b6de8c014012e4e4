"""The sampling flags: what a request that names no setting gets."""

from __future__ import annotations

import argparse
import math
import re
from typing import Any

from ..errors import InvalidRequest
from ..samplers import DEFAULT_SAMPLERS, samplers_from_chars, samplers_from_names
from .cli_parser import FlagGroup

__all__ = ["add_sampling", "add_seed", "escaped"]

NO_BREAKERS = "none"
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "'": "'", '"': '"', "\\": "\\"}
ESCAPE = re.compile(r"""\\([nrt'"\\]|x[0-9A-Fa-f]{2})""")
BIAS = re.compile(r"(\d+)([+-].+)")


def add_seed(group: FlagGroup) -> None:
    group.value("-s", "--seed", type=int, metavar="N", help="RNG seed (default: -1, a random one)")


def add_sampling(group: FlagGroup) -> None:
    """Add the flags of every sampler, with ``GenerationParams``' fields as destinations."""
    settings = (
        ("--temp --temperature", "temperature", float, "Temperature (default: 0.8, 0 = greedy)"),
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
        (
            "--top-nsigma --top-n-sigma",
            "top_n_sigma",
            float,
            "Top-N-Sigma (default: -1.0 = disabled)",
        ),
        (
            "--typical --typical-p",
            "typical_p",
            float,
            "Locally typical sampling (default: 1.0 = disabled)",
        ),
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
    for flags, dest, kind, text in settings:
        group.value(*flags.split(), dest=dest, type=kind, metavar="N", help=text)
    group.value(
        "--samplers",
        dest="samplers",
        type=_sampler_names,
        metavar="SAMPLERS",
        help=f"Samplers in their order, separated by ';'\n(default: {';'.join(DEFAULT_SAMPLERS)})",
    )
    group.value(
        "--sampling-seq",
        "--sampler-seq",
        dest="samplers",
        type=_sampler_letters,
        metavar="SEQUENCE",
        help="The same by their letters (default: edskypmxt)",
    )
    _add_texts(group)


def _add_texts(group: FlagGroup) -> None:
    group.value(
        "-l",
        "--logit-bias",
        dest="logit_bias",
        type=_logit_bias,
        action="extend",
        metavar="TOKEN_ID(+/-)BIAS,...",
        help="Add to the logit of a token, e.g. 15043+1; 15043-inf bans it; repeat it for more",
    )
    group.value(
        "--dry-sequence-breaker",
        dest="dry_sequence_breakers",
        action="append",
        metavar="TEXT",
        help="Text that no repetition reaches across, instead of the defaults; repeat it for\n"
        "more; none for no such text (default: newline, colon, double quote, asterisk)",
    )
    group.value(
        "-r",
        "--reverse-prompt",
        dest="stop",
        action="append",
        metavar="TEXT",
        help="Text that ends the output of a request that names none; repeat it for more",
    )
    group.switch("--ignore-eos", dest="ignore_eos", text="Go on after end-of-generation tokens")
    group.switch(
        "--no-escape", dest="escape", to=False, text="Take the texts of these flags as they are"
    )
    group.switch(
        "-e",
        "--escape",
        dest="escape",
        text="Take \\n, \\r, \\t, \\', \\\" and \\\\ in the texts of --dry-sequence-breaker and\n"
        "--reverse-prompt for what they stand for (default)",
    )


def escaped(given: dict[str, Any]) -> None:
    """Read the escapes in texts among ``given``, unless they are off."""
    breakers: list[str] = given.get("dry_sequence_breakers", [])
    if NO_BREAKERS in breakers:
        last = len(breakers) - breakers[::-1].index(NO_BREAKERS)
        given["dry_sequence_breakers"] = breakers[last:]
    for name in ("dry_sequence_breakers", "stop"):
        if name in given:
            read = _unescaped if given.get("escape", True) else str
            given[name] = tuple(map(read, given[name]))


def _unescaped(text: str) -> str:
    return ESCAPE.sub(lambda match: ESCAPES.get(match[1]) or chr(int(match[1][1:], 16)), text)


def _logit_bias(text: str) -> list[tuple[int, float]]:
    pairs = []
    for pair in text.split(","):
        match = BIAS.fullmatch(pair)
        try:
            bias = float(match[2]) if match else math.nan
        except ValueError:
            bias = math.nan
        if match is None or math.isnan(bias):
            raise argparse.ArgumentTypeError(f"{pair!r} is not like 15043+1 or 15043-1")
        pairs.append((int(match[1]), bias))
    return pairs


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
