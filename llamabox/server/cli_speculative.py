"""The flags of speculation, whatever drafts."""

from __future__ import annotations

from .cli_parser import FlagGroup

__all__ = ["add_speculative"]


def add_speculative(group: FlagGroup) -> None:
    group.value(
        "--draft-max",
        "--draft",
        "--draft-n",
        "--spec-draft-n-max",
        dest="n_draft_max",
        type=int,
        metavar="N",
        help="Tokens to draft for a step of a request at most (default: 16, 0 = disabled)",
    )
    group.value(
        "--draft-min",
        "--draft-n-min",
        "--spec-draft-n-min",
        dest="n_draft_min",
        type=int,
        metavar="N",
        help="Drafts of fewer tokens are dropped (default: 0)",
    )
    group.value(
        "--draft-p-min",
        "--spec-draft-p-min",
        dest="draft_p_min",
        type=float,
        metavar="N",
        help="A draft model stops before a token that is less probable (default: 0.8)",
    )
    group.value(
        "--lookup-ngram-min",
        dest="lookup_ngram_min",
        type=int,
        metavar="N",
        help="Draft what followed the last N tokens or more when they came before\n"
        "(default: 0, 0 = disabled)",
    )
