"""The flags of the HTTP side."""

from __future__ import annotations

from .cli_parser import FlagGroup
from .cli_rate import add_rate_limit

__all__ = ["add_server"]


def add_server(group: FlagGroup) -> None:
    group.value(
        "--host",
        metavar="HOST",
        help="Address to listen on, or a UNIX socket if it ends with .sock (default: 127.0.0.1)",
    )
    group.value("--port", type=int, metavar="PORT", help="Port to listen on (default: 8080)")
    group.value(
        "-to",
        "--timeout",
        type=int,
        metavar="N",
        help="Seconds that a connection may stay silent while a request is read or answered\n"
        "(default: 600, 0 = no limit)",
    )
    group.value(
        "--threads-http",
        dest="n_http_threads",
        type=int,
        metavar="N",
        help="Threads that parse, render and tokenize requests (default: -1, one per core up to 8)",
    )
    group.value(
        "--api-key",
        action="append",
        metavar="KEY",
        help="Key that requests must bring; repeat it, or separate keys by commas (default: none)",
    )
    group.value(
        "--queue-max",
        dest="n_queue",
        type=int,
        metavar="N",
        help="Requests that may wait for a session; more are answered with 429\n"
        "(default: 0, no limit)",
    )
    add_rate_limit(group)
    group.add("--metrics", action="store_true", help="Enable GET /metrics (default: disabled)")
