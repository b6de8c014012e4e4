"""The listening socket, bound before a model is loaded so that a taken port is known at once."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from .config import ServerConfig

__all__ = ["bind", "location"]

BACKLOG = 512


def bind(config: ServerConfig) -> socket.socket:
    """A listening socket for ``config``.

    :raises OSError: with a message that names the address; it is taken, not ours, or unknown.
    """
    try:
        if config.unix_socket is not None:
            return _bind_unix(config.unix_socket)
        return _bind_tcp(config.host, config.port)
    except OSError as error:
        where = config.host if config.unix_socket else f"{config.host}:{config.port}"
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot listen on {where}: {reason}") from None


def location(config: ServerConfig, listener: socket.socket) -> str:
    """Where a client finds the server: a URL, or the path of the UNIX socket."""
    if config.unix_socket is not None:
        return f"unix:{config.unix_socket}"
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _bind_tcp(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_unix(path: Path) -> socket.socket:
    _remove_dead_socket(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_dead_socket(path: Path) -> None:
    """Remove what a killed server left behind; a file or a living server stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "a file that is no socket lies there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
