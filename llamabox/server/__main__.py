"""``llamabox`` and ``python -m llamabox.server``: command line in, exit status out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from ..errors import IncompatibleLibrary, InvalidRequest
from ..params import ModelParams
from .cli import Action, Command, parse
from .log import configure_logging

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv``, by default the process's.

    :returns: the exit status: 0 after a clean end, 1 if the server could not start.
    :raises SystemExit: the command line is wrong (2), or asked for help or the version (0).
    """
    try:
        command = parse(sys.argv[1:] if argv is None else argv)
        _begin_log(command)
        _prepare(command)
        return _ACTIONS[command.action](command)
    except IncompatibleLibrary as error:
        logging.getLogger(__name__).error("%s", error)
        return 1


def _begin_log(command: Command) -> None:
    """:raises SystemExit: its file cannot be written (2)."""
    try:
        configure_logging(command.log)
    except OSError as error:
        command.parser.error(f"argument --log-file: {error}")
    for warning in command.warnings:
        logging.getLogger(__name__).warning("%s", warning)


def _prepare(command: Command) -> None:
    """Tell ggml what it has to know before anything else.

    :raises SystemExit: this machine lacks what a flag names (2).
    """
    config = command.config
    if not (config.rpc_servers or config.numa):
        return
    from ..api import add_rpc_servers, set_numa

    try:
        if config.numa:
            set_numa(config.numa)
        if config.rpc_servers:
            add_rpc_servers(config.rpc_servers)
    except InvalidRequest as error:
        command.parser.refuse(error.param or "", str(error))


def _check_devices(command: Command) -> None:
    """:raises SystemExit: this machine lacks a device or a buffer type that a flag names (2)."""
    config = command.config
    for params, suffix in ((config.model_params, ""), (config.draft_model_params, "_draft")):
        if params == ModelParams():
            continue
        from ..api import check_model_params

        try:
            check_model_params(params)
        except InvalidRequest as error:
            command.parser.refuse(f"{error.param}{suffix}", str(error).partition(": ")[2])


def _serve(command: Command) -> int:
    from .lifecycle import run

    _check_devices(command)
    return run(command.config, command.parser.in_flags)


def _print_system_info(_: Command) -> int:
    from ..api import system_info

    print(system_info())
    return 0


def _list_devices(_: Command) -> int:
    from ..api import list_devices

    print("Available devices:")
    for device in list_devices():
        free, total = device.memory_free >> 20, device.memory_total >> 20
        print(f"  {device.name}: {device.description} ({total} MiB, {free} MiB free)")
    return 0


_ACTIONS = {
    Action.SERVE: _serve,
    Action.SYSTEM_INFO: _print_system_info,
    Action.LIST_DEVICES: _list_devices,
}


if __name__ == "__main__":
    sys.exit(main())
