"""The flags of the group general: what to do at all, and what to log."""

from __future__ import annotations

import enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .._version import __version__
from .cli_parser import FlagGroup

__all__ = ["Action", "add_general"]


class Action(enum.Enum):
    """What a command line asks for."""

    SERVE = enum.auto()
    SYSTEM_INFO = enum.auto()
    LIST_DEVICES = enum.auto()


def add_general(group: FlagGroup) -> None:
    group.add("-h", "--help", "--usage", action="help", help="Print usage and exit")
    group.add("--version", action="version", version=about(), help="Print version and exit")
    group.add(
        "--system-info",
        dest="action",
        action="store_const",
        const=Action.SYSTEM_INFO,
        default=Action.SERVE,
        help="Print system info and exit",
    )
    group.add(
        "--list-devices",
        dest="action",
        action="store_const",
        const=Action.LIST_DEVICES,
        help="Print list of available devices and exit",
    )
    group.value(
        "--config",
        dest="config_file",
        type=Path,
        metavar="FILE",
        help="JSON file with the sections server, model and disk_cache; flags win over it",
    )
    group.add("-v", "--verbose", "--log-verbose", action="store_true", help="Log all messages")


def about() -> str:
    try:
        binding = version("llama-cpp-python")
    except PackageNotFoundError:
        binding = "is not installed"
    return f"llamabox {__version__} (llama-cpp-python {binding})"
