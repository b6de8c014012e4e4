"""Models that every test may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models.random_gguf import write_model

RandomModels = Callable[..., Path]


@pytest.fixture(scope="session")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> RandomModels:
    """Path of a random-weight model by architecture, and by type f32 or f16."""
    folder = tmp_path_factory.mktemp("models")

    def path(architecture: str = "llama", dtype: str = "f32") -> Path:
        file = folder / f"{architecture}-{dtype}.gguf"
        return file if file.exists() else write_model(file, architecture, dtype=dtype)

    return path
