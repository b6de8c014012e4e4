"""The flags of compute threads: how many, where, and how they wait."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..params import CpuParams
from .cli_parser import FlagGroup

__all__ = ["add_threads", "cpu_params", "names_file"]

MAX_CPUS = 512
PRIORITIES = {"low": -1, "normal": 0, "medium": 1, "high": 2, "realtime": 3}
RANGE = re.compile(r"(\d*)-(\d*)")


def add_threads(group: FlagGroup) -> None:
    group.value(
        "-t",
        "--threads",
        dest="n_threads",
        type=int,
        metavar="N",
        help="Compute threads (default: -1, physical cores less one, also for 0)",
    )
    _add_placement(group, "", "", "")
    group.value(
        "-tb",
        "--threads-batch",
        dest="n_threads_batch",
        type=int,
        metavar="N",
        help="Compute threads of prompts and batches (default: as -t)",
    )
    _add_placement(group, "-batch", "b", " of prompts and batches")
    group.value(
        "--threads-sampling",
        dest="n_threads_sampling",
        type=int,
        metavar="N",
        help="Threads that sample (default: -1, physical cores, 8 at most; 1 = no extra ones)",
    )


def _add_placement(group: FlagGroup, suffix: str, letter: str, whose: str) -> None:
    tail = suffix.replace("-", "_")

    def default(own: str) -> str:
        return f"(default: as without {suffix})" if suffix else f"(default: {own})"

    file = "" if suffix else "|FILE"
    group.value(
        f"-C{letter}",
        f"--cpu-mask{suffix}",
        dest=f"cpu_mask{tail}",
        metavar=f"M{file}",
        help=f"CPUs of the compute threads{whose}, a hexadecimal mask,\nand those of the range "
        + default("all")
        + ("" if suffix else ";\na name that ends with .json, or of a file, is as --config"),
    )
    group.value(
        f"-Cr{letter}",
        f"--cpu-range{suffix}",
        dest=f"cpu_range{tail}",
        type=_range,
        metavar="LO-HI",
        help=f"The same as a range {default('all')}",
    )
    settings = (
        ("strict", _bit, "0|1", f"Each of them stays on one CPU {default('0')}"),
        (
            "prio",
            _priority,
            "N",
            f"Priority: 0 normal, 1 medium, 2 high, 3 realtime, -1 low {default('0')}",
        ),
        (
            "poll",
            _level,
            "0...100",
            f"How long they wait by spinning; not in OpenMP builds {default('50')}",
        ),
    )
    for name, read, metavar, text in settings:
        flag = "--cpu-strict" if name == "strict" else f"--{name}"
        group.value(flag + suffix, dest=f"cpu_{name}{tail}", type=read, metavar=metavar, help=text)


def names_file(text: str) -> bool:
    """Whether a value of ``-C`` is a configuration file's name, and no mask."""
    return text.endswith(".json") or Path(text).is_file()


def cpu_params(given: Mapping[str, Any]) -> dict[str, Any]:
    """How the flags in ``given`` place threads: fields of ``EngineParams``.

    :raises InvalidRequest: a mask is none, or has none of this process's CPUs.
    """
    cpu = _read(given, "", CpuParams())
    batch = _read(given, "_batch", cpu)
    return {"cpu": cpu} if batch == cpu else {"cpu": cpu, "cpu_batch": batch}


def _read(given: Mapping[str, Any], tail: str, base: CpuParams) -> CpuParams:
    cpus = set(given.get(f"cpu_range{tail}", ()))
    mask = given.get(f"cpu_mask{tail}")
    if mask is not None:
        cpus |= _masked(mask, f"cpu_mask{tail}")
    name = f"cpu_mask{tail}" if mask is not None else f"cpu_range{tail}"
    if cpus:
        _check_usable(cpus, name)
    return CpuParams(
        cpus=tuple(sorted(cpus)) or base.cpus,
        strict=given.get(f"cpu_strict{tail}", base.strict),
        priority=given.get(f"cpu_prio{tail}", base.priority),
        poll=given.get(f"cpu_poll{tail}", base.poll),
    )


def _masked(text: str, name: str) -> set[int]:
    try:
        mask = int(text, 16)
    except ValueError:
        raise InvalidRequest(f"{text!r} is not a hexadecimal mask", param=name) from None
    if not 0 < mask < 1 << MAX_CPUS:
        raise InvalidRequest(f"{text} is not a mask of 1 to {MAX_CPUS} CPUs", param=name)
    return {i for i in range(mask.bit_length()) if mask >> i & 1}


def _check_usable(cpus: set[int], name: str) -> None:
    has_affinity = hasattr(os, "sched_getaffinity")
    usable = os.sched_getaffinity(0) if has_affinity else set(range(os.cpu_count() or 1))
    if not cpus & usable:
        listed = ", ".join(map(str, sorted(usable)))
        raise InvalidRequest(f"has none of the CPUs of this process: {listed}", param=name)


def _range(text: str) -> range:
    match = RANGE.fullmatch(text)
    if match is None or text == "-":
        raise argparse.ArgumentTypeError(f"{text!r} is not a range like 0-3")
    low, high = int(match[1] or 0), int(match[2] or MAX_CPUS - 1)
    if not low <= high < MAX_CPUS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range within 0-{MAX_CPUS - 1}")
    return range(low, high + 1)


def _bit(text: str) -> bool:
    if text not in ("0", "1"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 0 nor 1")
    return text == "1"


def _priority(text: str) -> int:
    known = {**PRIORITIES, **{str(number): number for number in PRIORITIES.values()}}
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is not within -1 to 3")
    return known[text]


def _level(text: str) -> int:
    if not text.isdigit() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not within 0 to 100")
    return int(text)
