"""From a bound socket to a clean end: serve, wait for a signal, let replies finish, close."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Protocol, TypeVar, cast

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP

from .._version import __version__
from ..errors import InvalidRequest
from .app import create_app
from .config import ServerConfig
from .listen import bind, location
from .log import progress_bar
from .service import ServerApp, Service, open_engine

__all__ = ["Server", "run", "run_loop"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

ENGINE_CLOSE_SECONDS = 2.5
DRAIN_SECONDS = 1.0
THREADS_SECONDS = 1.0
"""Together below the five seconds that a stop may take."""


class _Connection(Protocol):
    transport: asyncio.Transport | None

    def close_if_idle(self) -> bool: ...


class _SanicServer(Protocol):
    """What is used of Sanic's untyped ``AsyncioServer``."""

    connections: Collection[_Connection]
    server: asyncio.AbstractServer

    def startup(self) -> Awaitable[None]: ...

    def before_start(self) -> Awaitable[None]: ...

    def start_serving(self) -> Awaitable[None]: ...

    def after_start(self) -> Awaitable[None]: ...

    def before_stop(self) -> Awaitable[None]: ...

    def after_stop(self) -> Awaitable[None]: ...


class Server:
    """One app on one listening socket, inside a running event loop.

    :param listener: bound and listening; closed with the server.
    """

    def __init__(self, app: ServerApp, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._server: _SanicServer | None = None

    async def start(self) -> None:
        """Accept requests and begin to load the model."""
        # What Sanic.run() notes; without it every reply has an empty alt-svc header.
        info = ApplicationServerInfo(settings={"version": HTTP.VERSION_1})
        self._app.state.server_info.append(info)
        created = await self._app.create_server(
            sock=self._listener, asyncio_server_kwargs={"start_serving": False}
        )
        self._server = cast(_SanicServer, created)
        await self._server.startup()
        await self._server.before_start()
        await self._server.start_serving()
        await self._server.after_start()

    async def stop(self) -> bool:
        """Accept nothing more, cancel what runs, let every reply send its end, close.

        :returns: False if the engine or a thread was still busy when the time was up.
        """
        assert self._server is not None
        self._server.server.close()
        unix_socket = self._app.ctx.config.unix_socket
        if unix_socket is not None:
            unix_socket.unlink(missing_ok=True)
        await self._server.before_stop()
        await self._app.ctx.close(ENGINE_CLOSE_SECONDS)
        await _drain(self._server.connections)
        await self._server.after_stop()
        is_free = await self._app.ctx.free(THREADS_SECONDS)
        Sanic.unregister_app(self._app)
        return is_free


async def _drain(connections: Collection[_Connection]) -> None:
    """Close idle connections, wait for the others to finish, cut what is left."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DRAIN_SECONDS
    while connections and loop.time() < deadline:
        for connection in list(connections):
            connection.close_if_idle()
        await asyncio.sleep(0.02)
    for connection in list(connections):
        # Not connection.abort(): it forgets the transport that Sanic's request task then asks.
        if connection.transport is not None:
            connection.transport.abort()
    await asyncio.sleep(0)


def run(config: ServerConfig, in_flags: Callable[[str], str] = str) -> int:
    """Serve until a signal comes or the model cannot be loaded; blocks.

    :param in_flags: turns a refusal that names parameters into one that names flags.
    :returns: the process's exit status.
    """
    try:
        listener = bind(config)
    except OSError as error:
        logger.error("%s", error.strerror)
        return 1
    with contextlib.closing(listener):
        return run_loop(_serve(config, listener, in_flags))


def run_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Run ``main`` on a new event loop: uvloop's if it is installed, as it is where it exists."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


async def _serve(
    config: ServerConfig, listener: socket.socket, in_flags: Callable[[str], str]
) -> int:
    stopping = asyncio.Event()
    _watch_signals(stopping)
    service = Service(config, open_engine, progress_bar())
    server = Server(create_app(config, service), listener)
    await server.start()
    logger.info("llamabox %s listening on %s", __version__, location(config, listener))
    status = await _until_stopped(service, stopping, in_flags)
    if not await server.stop():
        logger.warning("a request is still being worked on; leaving without its end")
        os._exit(status)
    return status


async def _until_stopped(
    service: Service, stopping: asyncio.Event, in_flags: Callable[[str], str]
) -> int:
    """Wait for a signal, or for a model that cannot be loaded.

    :returns: the exit status.
    """
    loaded = asyncio.ensure_future(service.loaded())
    signalled = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({loaded, signalled}, return_when=asyncio.FIRST_COMPLETED)
    if not loaded.done():
        loaded.cancel()
        return 0
    error = loaded.exception()
    if error is not None:
        signalled.cancel()
        is_refusal = isinstance(error, InvalidRequest)
        logger.error("%s", in_flags(str(error)) if is_refusal else error)
        return 1
    await signalled
    logger.info("stopping")
    return 0


def _watch_signals(stopping: asyncio.Event) -> None:
    """SIGINT and SIGTERM stop the server; a second one does not wait for it."""

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
