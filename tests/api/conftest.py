"""One engine for the tests that share it, with a tiny random model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import llamabox
from llamabox import Engine, EngineParams, GenerationParams
from tests.conftest import RandomModels

SMALL = EngineParams(
    n_ctx=1024,
    n_parallel=4,
    n_batch=256,
    n_ubatch=64,
    n_threads=1,
    kv_layout="unified",
    flash_attention="off",
)
ENDLESS = GenerationParams(temperature=0, ignore_eos=True, n_predict=32)


@pytest.fixture(scope="session")
def tiny_path(random_models: RandomModels) -> Path:
    return random_models("llama")


@pytest.fixture(scope="session")
def tiny_model(tiny_path: Path) -> Iterator[llamabox.Model]:
    with llamabox.Model.load(tiny_path) as model:
        yield model


@pytest.fixture(scope="session")
def engine(tiny_model: llamabox.Model) -> Iterator[Engine]:
    with Engine(tiny_model, SMALL) as engine:
        yield engine
