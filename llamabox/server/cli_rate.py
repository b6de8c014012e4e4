"""The flags of token rates."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_rate_limit"]


def add_rate_limit(group: FlagGroup) -> None:
    group.value(
        "-tps",
        "--tokens-per-second",
        dest="tokens_per_second",
        type=float,
        metavar="N",
        help="Output tokens per second that the header X-Request-Tokens-Per-Second may limit a\n"
        "request to, at most (default: 0, the header is ignored; -1 = by a trial at the start)",
    )
    group.switch(
        "--tokens-per-second-per-key",
        dest="tokens_per_second_per_key",
        text="The requests of one API key share one limit, which is N without the header; without\n"
        "--api-key, those of one X-Request-Tenant header (default: each has its own)",
    )
