"""Servers as child processes: on a free port, ready before they are used, ended by their own id."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from .http_stream import Address
from .machine import ROOT

START_SECONDS = 60.0
STOP_SECONDS = 10.0


@contextlib.contextmanager
def llamabox_server(
    model: Path, *, n_parallel: int, n_ctx: int, n_threads: int, flags: Sequence[str] = ()
) -> Iterator[Address]:
    """`python -m llamabox` on a model."""
    words = ["-m", str(model), "-np", n_parallel, "-c", n_ctx, "-t", n_threads, *flags]
    with python_server(["llamabox", *map(str, words)], ready_path="/health") as address:
        yield address


@contextlib.contextmanager
def python_server(words: Sequence[str], *, ready_path: str) -> Iterator[Address]:
    """`running_server` of `python -m WORDS`."""
    with running_server([sys.executable, "-m", *words], ready_path=ready_path) as address:
        yield address


@contextlib.contextmanager
def running_server(command: Sequence[str], *, ready_path: str) -> Iterator[Address]:
    """`COMMAND --host 127.0.0.1 --port PORT`, once `ready_path` answers with 200.

    :raises RuntimeError: it ended, or was not ready in time; the message has the end of its log.
    """
    port = _free_port()
    words = [*command, "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait_ready(process, f"http://127.0.0.1:{port}{ready_path}", log)
            yield Address("127.0.0.1", port, "")
        finally:
            _stop(process)


def _wait_ready(process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.05)
    log.seek(0)
    tail = log.read()[-2000:].decode("utf-8", "replace")
    raise RuntimeError(f"{url} does not answer; the server's log ends with:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
