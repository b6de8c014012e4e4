"""A real server on a free port of 127.0.0.1, in a thread of this process or in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from llamabox import EngineStats
from llamabox.server.app import create_app
from llamabox.server.config import ServerConfig
from llamabox.server.lifecycle import Server, run_loop
from llamabox.server.listen import bind, location
from llamabox.server.service import OpenEngine, Service, open_engine

HANG = 60.0
"""Seconds after which something that should have happened is taken for a hang."""


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until ``holds()``; fails after the hang guard."""
    deadline = time.monotonic() + HANG
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.005)


class LiveServer:
    """A server in a thread."""

    def __init__(self, config: ServerConfig, open_engine: OpenEngine = open_engine) -> None:
        listener = bind(config)
        self.url = location(config, listener)
        self.service = Service(config, open_engine)
        self.app = create_app(config, self.service)
        self._server = Server(self.app, listener)
        self._started = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=run_loop, args=(self._serve(),), name="live-server")

    def __enter__(self) -> LiveServer:
        self._thread.start()
        assert self._started.wait(HANG)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._stop()
            self._thread.join(HANG)
            assert not self._thread.is_alive()

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=HANG, **options)

    def wait_ready(self) -> LiveServer:
        with self.client() as client:
            eventually(lambda: client.get("/health").status_code == 200, "the model is loaded")
        return self

    def stats(self) -> EngineStats:
        return self.service.engine.stats()

    def cancelled(self) -> int:
        """Generations that were cancelled so far."""
        return self.stats().n_requests.get("cancelled", 0)

    async def _serve(self) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopping.set)
        await self._server.start()
        self._started.set()
        await stopping.wait()
        await self._server.stop()


class ServerProcess:
    """``python -m llamabox`` with ``flags``; its log is read in the background.

    :param code: a program that takes them instead.
    """

    def __init__(self, *flags: str, code: str | None = None) -> None:
        program = ["-m", "llamabox"] if code is None else ["-c", code]
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, *program, *flags],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """The first line of the log that matches; fails if the process ends without one."""
        found: list[re.Match[str]] = []

        def search() -> bool:
            is_over = self.process.poll() is not None and not self._reader.is_alive()
            found.extend(match for line in self.lines if (match := re.search(pattern, line)))
            return bool(found) or is_over

        eventually(search, f"a line like {pattern!r}")
        assert found, "\n".join(self.lines)
        return found[0]

    def wait(self) -> int:
        """The exit status."""
        status = self.process.wait(HANG)
        self._reader.join(HANG)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))


@contextlib.contextmanager
def server_process(*flags: str, code: str | None = None) -> Iterator[ServerProcess]:
    server = ServerProcess(*flags, code=code)
    try:
        yield server
    finally:
        server.close()


def run_cli(*flags: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "llamabox", *flags],
        capture_output=True,
        text=True,
        timeout=HANG,
        cwd=cwd,
    )
