"""Which files of a repository are the model that is asked for, as llama.cpp chooses them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Sequence

from ..errors import HubNotFound
from ..sources import HubModel
from .split import part_names

__all__ = ["choose_files"]

DEFAULT_QUANTS = ("Q4_K_M", "Q8_0")
_NOT_MODELS = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")
"""In names of files that go with a model."""
MOST_LISTED = 12
"""Files that an error names at most."""


def choose_files(paths: Collection[str], source: HubModel) -> list[str]:
    """The paths of a model's parts, of which the first is loaded; most models have one.

    :param paths: all files of the repository.
    :raises HubNotFound: none of them is the model, or a part is missing.
    """
    models = [path for path in sorted(paths) if _is_model(path)]
    if source.file is not None:
        chosen = _by_name(sorted(paths), source.file)
        wanted = source.file
    else:
        chosen = _by_quant(models, source.quant)
        wanted = source.quant or "GGUF"
    if chosen is None:
        there = ", ".join(models[:MOST_LISTED]) or "none"
        more = f" and {len(models) - MOST_LISTED} more" if len(models) > MOST_LISTED else ""
        raise HubNotFound(
            f"{source.repo} has no file for {wanted}; its GGUF models are: {there}{more}"
        )
    return _parts(paths, chosen, source.repo)


def _is_model(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path.endswith(".gguf") and not any(mark in name for mark in _NOT_MODELS)


def _by_name(paths: Sequence[str], name: str) -> str | None:
    if name in paths:
        return name
    return next((path for path in paths if fnmatch.fnmatchcase(path, name)), None)


def _by_quant(models: Sequence[str], quant: str | None) -> str | None:
    """The first with the quantization as a word, else with what ends so: F16 is in BF16 too."""
    for wanted in (quant,) if quant else DEFAULT_QUANTS:
        for before in ("(?<![A-Za-z0-9])", ""):
            pattern = re.compile(before + re.escape(wanted) + "[.-]", re.IGNORECASE)
            for path in models:
                if pattern.search(path):
                    return path
    return models[0] if models and quant is None else None


def _parts(paths: Collection[str], chosen: str, repo: str) -> list[str]:
    """All parts of a split file, the first one first."""
    parts = part_names(chosen)
    missing = [part for part in parts if part not in paths]
    if missing:
        there = f"{len(parts) - len(missing)} of {len(parts)} parts"
        raise HubNotFound(f"{repo} has {there}; {missing[0]} is missing")
    return parts
