"""Loaded models, one of each for the whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import llamabox
from tests.conftest import RandomModels
from tests.core.running import LoadedModel

ModelOf = Callable[..., LoadedModel]


@pytest.fixture(scope="session")
def model_of(random_models: RandomModels) -> Iterator[ModelOf]:
    """A loaded model: "packaged", or a random one by architecture and type."""
    loaded: dict[tuple[str, str], LoadedModel] = {}

    def model(kind: str = "llama", dtype: str = "f32") -> LoadedModel:
        if (kind, dtype) not in loaded:
            path = llamabox.packaged_model() if kind == "packaged" else random_models(kind, dtype)
            loaded[kind, dtype] = LoadedModel(path)
        return loaded[kind, dtype]

    yield model
    for model_ in loaded.values():
        model_.close()


@pytest.fixture(scope="session")
def tiny(model_of: ModelOf) -> LoadedModel:
    """A random llama in f32."""
    return model_of("llama")
