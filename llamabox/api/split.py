"""Models that are split into several files: ``name-00001-of-00003.gguf`` and so on."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from ..errors import ModelLoadError

__all__ = ["all_parts", "first_part", "part_names"]

logger = logging.getLogger(__name__)

_PART = re.compile(r"(?P<stem>.+)-(?P<i>\d{5})-of-(?P<n>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE)


def part_names(name: str) -> list[str]:
    """The names of all parts of the model that a part's name belongs to, the first one first; of
    another name, itself."""
    match = _PART.fullmatch(name)
    if match is None:
        return [name]
    n = int(match["n"])
    if not 0 < int(match["i"]) <= n:
        return [name]
    return [f"{match['stem']}-{i:05d}-of-{n:05d}{match['suffix']}" for i in range(1, n + 1)]


def all_parts(path: Path) -> list[Path]:
    """The files of the model that a file belongs to, the first part first."""
    names = part_names(path.name)
    return [path] if len(names) == 1 else [path.with_name(name) for name in names]


def first_part(path: Path) -> Path:
    """The file that a model is loaded from, given any part of it.

    :raises ModelLoadError: parts are missing.
    """
    parts = all_parts(path)
    if len(parts) == 1:
        return path
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise ModelLoadError(
            f"{path}: the model has {len(parts)} parts, and {len(missing)} of them"
            f" {'is' if len(missing) == 1 else 'are'} missing: {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}"
        )
    if path.name != parts[0].name:
        logger.info("%s is not the first part of its model; loading %s", path.name, parts[0].name)
    return parts[0]
