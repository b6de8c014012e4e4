"""The flags of LoRA adapters and control vectors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .cli_parser import FlagGroup

__all__ = ["add_adapters", "add_control_vectors"]


def add_adapters(group: FlagGroup) -> None:
    group.value(
        "--lora",
        dest="lora",
        action=_Files,
        metavar="FILE",
        help="Apply a LoRA adapter; repeat it, or separate files by commas",
    )
    group.value(
        "--lora-scaled",
        dest="lora",
        action=_ScaledFiles,
        nargs="+",
        metavar="FILE SCALE",
        help="Apply a LoRA adapter with a scale; also FILE:SCALE, separated by commas",
    )
    group.value(
        "--lora-init-without-apply",
        dest="lora_init_without_apply",
        action="store_true",
        help="Load LoRA adapters without applying them; requests can, or POST /lora-adapters\n"
        "(default: disabled)",
    )


def add_control_vectors(group: FlagGroup) -> None:
    group.value(
        "--control-vector",
        dest="control_vectors",
        action=_Files,
        metavar="FILE",
        help="Add a control vector; repeat it, or separate files by commas",
    )
    group.value(
        "--control-vector-scaled",
        dest="control_vectors",
        action=_ScaledFiles,
        nargs="+",
        metavar="FILE SCALE",
        help="Add a control vector with a scale; also FILE:SCALE, separated by commas",
    )
    group.value(
        "--control-vector-layer-range",
        dest="control_vector_layers",
        action=_Pair,
        nargs=2,
        type=int,
        metavar="START END",
        help="Layers to apply the control vectors to, both included (default: all)",
    )


class _Files(argparse.Action):
    """Adds files with a scale of 1."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        _add(self, namespace, [(file, 1.0) for file in values.split(",")])


class _ScaledFiles(argparse.Action):
    """Adds files with their scales."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        if len(values) == 2 and ":" not in values[1]:
            pairs = [(values[0], values[1])]
        else:
            pairs = [
                (item.rpartition(":")[0], item.rpartition(":")[2])
                for value in values
                for item in value.split(",")
            ]
        try:
            _add(self, namespace, [(file, float(scale)) for file, scale in pairs])
        except ValueError:
            raise argparse.ArgumentError(self, "wants FILE SCALE, or FILE:SCALE") from None


class _Pair(argparse.Action):
    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        setattr(namespace, self.dest, tuple(values))


def _add(
    action: argparse.Action, namespace: argparse.Namespace, pairs: Sequence[tuple[str, float]]
) -> None:
    if not all(file for file, _ in pairs):
        raise argparse.ArgumentError(action, "wants a file")
    setattr(namespace, action.dest, (*getattr(namespace, action.dest, ()), *pairs))
