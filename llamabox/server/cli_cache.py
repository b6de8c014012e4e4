"""The flags of the second tier of prefixes."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_cache"]


def add_cache(group: FlagGroup) -> None:
    group.value(
        "-cram",
        "--cache-ram",
        dest="cache_ram",
        type=int,
        metavar="MIB",
        help="RAM for prefixes that the cells have no room for any more\n"
        "(default: 1024, 0 = none, also on disk, -1 = no limit)",
    )
    group.value(
        "--cache-disk",
        dest="cache_disk",
        metavar="PATH",
        help="Directory that keeps them beyond that, and for the next start (default: none)",
    )
    group.value(
        "--cache-disk-max",
        dest="cache_disk_max",
        type=int,
        metavar="MIB",
        help="Bytes of its files at most, in MiB (default: 8192)",
    )
    group.value(
        "--cache-min-tokens",
        dest="cache_min_tokens",
        type=int,
        metavar="N",
        help="Tokens of the shortest prefix that is saved (default: 128)",
    )
