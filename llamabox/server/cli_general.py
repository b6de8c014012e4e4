"""The flags of the group general: what to do at all, and what to log."""

from __future__ import annotations

import argparse
import enum
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .._version import __version__
from .cli_parser import FlagGroup
from .cli_switch import switch
from .log import EVERYTHING, LogConfig

__all__ = ["Action", "add_general", "log_config"]


class Action(enum.Enum):
    """What a command line asks for."""

    SERVE = enum.auto()
    SYSTEM_INFO = enum.auto()
    LIST_DEVICES = enum.auto()


def add_general(group: FlagGroup) -> None:
    group.add("-h", "--help", "--usage", action="help", help="Print usage and exit")
    group.add(
        "--version",
        action="version",
        version=_about(),
        default=argparse.SUPPRESS,
        help="Print version and exit",
    )
    group.switch(
        "--system-info",
        dest="action",
        to=Action.SYSTEM_INFO,
        text="Print system info and exit",
    )
    group.switch(
        "--list-devices",
        dest="action",
        to=Action.LIST_DEVICES,
        text="Print list of available devices and exit",
    )
    group.value(
        "--config",
        dest="config_file",
        type=Path,
        metavar="FILE",
        help="JSON file with the sections server, model and disk_cache, also as -C FILE;\n"
        "flags and environment variables win over it",
    )
    _add_log(group)


def _add_log(group: FlagGroup) -> None:
    group.switch(
        "-v", "--verbose", "--log-verbose", dest="verbosity", to=EVERYTHING, text="Log all messages"
    )
    group.value(
        "-lv",
        "--verbosity",
        "--log-verbosity",
        dest="verbosity",
        type=int,
        metavar="V",
        help="Log messages up to this verbosity: 1 errors, 2 warnings, 3 what happens, 4 and more\n"
        "everything (default: 3)",
    )
    group.value(
        "--log-colors",
        dest="log_colors",
        nargs="?",
        const="on",
        type=switch,
        metavar="[on|off|auto]",
        help="Colored log; auto: on a terminal (default: off)",
    )
    group.value(
        "--log-file", dest="log_file", type=Path, metavar="FILE", help="Log to this file too"
    )
    group.switch("--log-disable", dest="verbosity", to=0, text="Log nothing but fatal errors")
    for name, dest, text in (
        ("prefix", "log_prefix", "the level"),
        ("timestamps", "log_timestamps", "the time"),
    ):
        group.switch(f"--log-{name}", dest=dest, text=f"Log lines have {text} (default)")
        group.switch(f"--no-log-{name}", dest=dest, to=False, text=f"Log lines lack {text}")


def log_config(given: Mapping[str, Any]) -> LogConfig:
    """How the flags in ``given`` want the log."""
    names = (
        ("verbosity", "verbosity"),
        ("log_colors", "colors"),
        ("log_file", "file"),
        ("log_prefix", "prefix"),
        ("log_timestamps", "timestamps"),
    )
    return LogConfig(**{field: given[dest] for dest, field in names if dest in given})


def _about() -> str:
    try:
        binding = version("llama-cpp-python")
    except PackageNotFoundError:
        binding = "is not installed"
    return f"llamabox {__version__} (llama-cpp-python {binding})"
