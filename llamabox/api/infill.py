"""Prompts for filling in the middle: what stands before and after the text that is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..errors import InvalidRequest
from .text import Tokenizer, Tokens

NO_TOKEN = -1
REPOSITORY = "repository\n"
"""Name of the repository that the files are in; models are trained with one."""
FILE = "file\n"
SNIPPET = "\n\n--- snippet ---\n\n"
"""In front of a file's text, for models without a token for that."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Infill:
    """A gap in a text.

    :param prefix: the text in front of it; control tokens are not read in it.
    :param suffix: the text behind it, likewise.
    :param prompt: what the output begins after, at the end of the prefix.
    :param files: (name, text) of other files of the repository, the most important last: the first
        ones are left out where they would take more than half the context.
    :param suffix_first: some models want the suffix before the prefix.
    """

    prefix: str
    suffix: str
    prompt: str = ""
    files: tuple[tuple[str, str], ...] = ()
    suffix_first: bool = False


def infill_tokens(infill: Infill, tokenizer: Tokenizer, *, n_files: int) -> Tokens:
    """The prompt as code models are trained to read it (arXiv:2409.12186).

    :param n_files: tokens of other files at most.
    :raises InvalidRequest: the model has no tokens for that.
    """
    fim = tokenizer.fim
    for name in ("prefix", "suffix", "middle"):
        if getattr(fim, name) == NO_TOKEN:
            raise InvalidRequest(
                f"this model cannot fill in: it has no {name} token", param="suffix"
            )
    prefix: list[Tokens | Sequence[int]] = [[fim.prefix], _encode(tokenizer, infill.prefix)]
    if infill.prompt:
        prefix.append(tokenizer.encode(infill.prompt, add_special=False))
    suffix: list[Tokens | Sequence[int]] = [[fim.suffix], _encode(tokenizer, infill.suffix)]
    parts = suffix + prefix if infill.suffix_first else prefix + suffix
    files = _file_tokens(infill.files, tokenizer)
    parts.insert(0, files[max(0, len(files) - n_files) :])
    if tokenizer.adds_bos:
        parts.insert(0, [tokenizer.bos_token])
    return np.concatenate([*parts, [fim.middle]]).astype(np.int32)


def _file_tokens(files: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> Tokens:
    """The other files, and the beginning of the one with the gap."""
    fim = tokenizer.fim
    parts: list[Tokens | Sequence[int]] = []
    if files and fim.repository != NO_TOKEN:
        parts += [[fim.repository], _encode(tokenizer, REPOSITORY)]
    for name, text in files:
        if fim.file == NO_TOKEN:
            parts.append(_encode(tokenizer, SNIPPET))
        else:
            parts += [[fim.file], _encode(tokenizer, f"{name}\n")]
        parts.append(_encode(tokenizer, text))
    if files and fim.file != NO_TOKEN:
        parts += [[fim.file], _encode(tokenizer, FILE)]
    return np.concatenate([*parts, np.empty(0, np.int32)]).astype(np.int32)


def _encode(tokenizer: Tokenizer, text: str) -> Tokens:
    return tokenizer.encode(text, add_special=False, parse_special=False)
