"""How large a run is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from llamabox import packaged_model

from .machine import ROOT
from .models import SHAPES, model_path
from .peers.build_llama_server import BuildError

N_THREADS = 1
"""Compute threads on both sides: with more, what else runs on the machine is measured too."""

PACKAGED = "packaged"
STORIES = "stories260K"
RANDOM_50M = "50m"
RANDOM_500M = "qwen2.5-0.5b"
STORIES_VARIABLE = "LLAMABOX_STORIES260K"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every scenario is told.

    :param runs: times that each side is measured; the medians are reported.
    :param quick: tiny counts, to see that everything works. The figures mean nothing.
    :param models: GGUF files that take the place of every scenario's own; empty for those.
    """

    runs: int = 5
    quick: bool = False
    models: tuple[Path, ...] = ()

    def count(self, full: int, quick: int) -> int:
        """How many of something: `full`, or `quick` in a quick run."""
        return quick if self.quick else full


def chosen_models(settings: Settings, names: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files that a scenario measures, whose own models are `names`.

    A name is that of the packaged model, of stories260K, which is looked for at
    $LLAMABOX_STORIES260K or in `shared/models` beside the clone, or of one that `bench.models`
    writes.

    :returns: the files, and a note for each that is missing.
    """
    if settings.models:
        return list(settings.models), []
    found = {name: _find_model(name) for name in names}
    paths = [path for path in found.values() if isinstance(path, Path)]
    notes = [f"{name}: skipped, {why}" for name, why in found.items() if isinstance(why, str)]
    return paths, notes


def _find_model(name: str) -> Path | str:
    """A file, or why it is not there."""
    if name == PACKAGED:
        return packaged_model()
    if name in SHAPES:
        try:
            return model_path(name)
        except BuildError as error:
            return str(error)
    default = ROOT.parent / "shared" / "models" / f"{STORIES}.gguf"
    path = Path(os.environ.get(STORIES_VARIABLE, default))
    return path if path.is_file() else f"no {STORIES}.gguf ({STORIES_VARIABLE}=PATH)"


def model_label(path: Path) -> str:
    """How tables name a model."""
    return "packaged model" if path == packaged_model() else path.stem


def counted(n: int, noun: str) -> str:
    """`1 stream`, `4 streams`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
