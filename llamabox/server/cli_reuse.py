"""The flags of what a prompt takes from others before it."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_prompt_reuse"]


def add_prompt_reuse(group: FlagGroup) -> None:
    group.value(
        "--no-cache-prompt",
        dest="cache_prompt",
        action="store_false",
        help="Compute every prompt from its beginning, unless a request says otherwise",
    )
    group.value(
        "--cache-prompt",
        dest="cache_prompt",
        action="store_true",
        help="Start prompts from what others have computed of them (default)",
    )
    group.value(
        "--cache-reuse",
        dest="n_cache_reuse",
        type=int,
        metavar="N",
        help="Min chunk size to attempt reusing from the cache via KV shifting\n"
        "(default: 0, 0 = disabled)",
    )
