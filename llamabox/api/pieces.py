"""Prompts of texts and token ids in turn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .text import Tokenizer, Tokens


def piece_tokens(
    pieces: Sequence[int | str],
    tokenizer: Tokenizer,
    *,
    add_special: bool = True,
    parse_special: bool = True,
) -> Tokens:
    """Each text tokenized by itself.

    :param add_special: if the first piece is a text, add to it what the model wants around one.
    :param parse_special: read control tokens in the texts as such.
    :raises InvalidRequest: an id is not in the vocabulary, or a text cannot be tokenized.
    """
    parts: list[Tokens] = [np.empty(0, np.int32)]
    for kind, run in itertools.groupby(pieces, type):
        if issubclass(kind, str):
            parts += [
                tokenizer.encode(
                    str(text),
                    add_special=add_special and len(parts) == 1 and i == 0,
                    parse_special=parse_special,
                )
                for i, text in enumerate(run)
            ]
        else:
            parts.append(tokenizer.check(list(run)))  # type: ignore[arg-type]
    return np.concatenate(parts).astype(np.int32)
