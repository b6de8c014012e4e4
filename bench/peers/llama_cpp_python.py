"""llama-cpp-python's server, `python -m llama_cpp.server`; the extra `bench` installs its needs."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ..http_stream import Address
from ..processes import python_server

PACKAGES = ("fastapi", "uvicorn", "sse_starlette", "starlette_context", "pydantic_settings")

# By default it breaks off a stream when another request comes, and keeps all logits of a prompt.
FLAGS = ("--interrupt_requests", "false", "--logits_all", "false")


def missing_packages() -> list[str]:
    """The packages it needs that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def server(model: Path, *, n_ctx: int, n_threads: int) -> Iterator[Address]:
    """A running server with one sequence of `n_ctx` cells."""
    threads = str(n_threads)
    words = ["--model", str(model), "--n_ctx", str(n_ctx), *FLAGS]
    words += ["--n_threads", threads, "--n_threads_batch", threads]
    with python_server(["llama_cpp.server", *words], ready_path="/v1/models") as address:
        yield address
