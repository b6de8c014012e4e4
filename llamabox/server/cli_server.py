"""The flags of the HTTP side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from .cli_absent import EMBEDDINGS, IMAGES, RERANK, WEB_UI
from .cli_parser import FlagGroup

__all__ = ["add_server", "api_keys"]


def add_server(group: FlagGroup) -> None:
    group.value(
        "--host",
        metavar="HOST",
        help="Address to listen on, or a UNIX socket if it ends with .sock (default: 127.0.0.1)",
    )
    group.value("--port", type=int, metavar="PORT", help="Port to listen on (default: 8080)")
    _add_connections(group)
    group.value(
        "--api-key",
        action="append",
        metavar="KEY",
        help="Key that requests must bring; repeat it, or separate keys by commas (default: none)",
    )
    group.value(
        "--api-key-file",
        dest="api_key_file",
        type=Path,
        metavar="FILE",
        help="File with such keys, one on each line; lines that begin with # are comments",
    )
    group.value(
        "--queue-max",
        dest="n_queue",
        type=int,
        metavar="N",
        help="Requests that may wait for a session; more are answered with 429\n"
        "(default: 0, no limit)",
    )
    group.switch("--metrics", dest="metrics", text="Enable GET /metrics (default: disabled)")
    group.absent(
        "--embeddings",
        "--embedding",
        reason=EMBEDDINGS,
        text="Enable embedding endpoint (refused: not in this build)",
    )
    group.absent(
        "--images", reason=IMAGES, text="Enable image endpoint (refused: not in this build)"
    )
    group.absent(
        "--rerank",
        "--reranking",
        reason=RERANK,
        text="Enable reranking endpoint (refused: not in this build)",
    )
    group.idle("--no-webui", "--no-ui", text=f"Accepted: {WEB_UI}")
    group.idle("--no-slots", text="Accepted: there is no such route")
    group.idle("--perf", "--no-perf", text="Accepted: replies always have timings")
    group.idle("-cb", "--cont-batching", text="Accepted: batches are always continuous")


def _add_connections(group: FlagGroup) -> None:
    settings = (
        (
            ("-to", "--timeout"),
            "timeout",
            "Seconds that a connection may stay silent while a request is read or answered\n"
            "(default: 600, 0 = no limit)",
        ),
        (
            ("--threads-http",),
            "n_http_threads",
            "Threads that parse, render and tokenize requests (default: -1, one per core up to 8)",
        ),
        (
            ("--conn-idle",),
            "conn_idle",
            "Seconds that a new connection may wait with its first request (default: 60)",
        ),
        (
            ("--conn-keepalive",),
            "conn_keepalive",
            "Seconds that a connection is kept for another request (default: 15)",
        ),
    )
    for names, dest, text in settings:
        group.value(*names, dest=dest, type=int, metavar="N", help=text)


def api_keys(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that the flags in ``given`` name.

    :raises InvalidRequest: there is none among them, or the file of keys cannot be read.
    """
    keys = [key for joined in given.get("api_key", ()) for key in joined.split(",")]
    if "api_key" in given and not any(key.strip() for key in keys):
        raise InvalidRequest("is empty", param="api_key")
    path: Path | None = given.get("api_key_file")
    if path is not None:
        try:
            lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(str(error), param="api_key_file") from None
        listed = [line for line in lines if line and not line.startswith("#")]
        if not listed:
            raise InvalidRequest(f"{path} has no keys", param="api_key_file")
        keys += listed
    return tuple(key.strip() for key in keys if key.strip())
