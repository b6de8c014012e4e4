"""How large a run is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from llamabox import packaged_model

N_THREADS = 1
"""Compute threads on both sides: with more, what else runs on the machine is measured too."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every scenario is told.

    :param runs: times that each side is measured; the medians are reported.
    :param quick: tiny counts, to see that everything works. The figures mean nothing.
    :param models: GGUF files; empty for the packaged model.
    """

    runs: int = 5
    quick: bool = False
    models: tuple[Path, ...] = ()

    @property
    def model_paths(self) -> tuple[Path, ...]:
        return self.models or (packaged_model(),)

    def count(self, full: int, quick: int) -> int:
        """How many of something: `full`, or `quick` in a quick run."""
        return quick if self.quick else full


def model_label(path: Path) -> str:
    """How tables name a model."""
    return "packaged model" if path == packaged_model() else path.stem


def counted(n: int, noun: str) -> str:
    """`1 stream`, `4 streams`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
