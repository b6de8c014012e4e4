"""One server with the packaged model for the whole run, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest

from llamabox import EngineParams
from llamabox.server.config import ServerConfig
from tests.conftest import RandomModels
from tests.server.live import HANG, LiveServer

N_CTX = 2048
"""Cells of the test server's pool."""


def small_config(**changes: object) -> ServerConfig:
    """A configuration on a free port that leaves the machine some room."""
    settings: dict[str, object] = {
        "port": 0,
        "engine_params": EngineParams(n_ctx=N_CTX, n_parallel=4, n_threads=1, kv_layout="unified"),
    }
    return ServerConfig(**settings | changes)


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    with LiveServer(small_config(metrics=True, alias="pocket")) as live:
        yield live.wait_ready()


@pytest.fixture(scope="session")
def exact(random_models: RandomModels) -> Iterator[LiveServer]:
    """A server whose outputs do not depend on the load: f32 weights, no flash attention."""
    params = small_config().engine_params.replace(flash_attention="off")
    with LiveServer(small_config(model=random_models("llama"), engine_params=params)) as live:
        yield live.wait_ready()


@pytest.fixture(scope="session")
def exact_client(exact: LiveServer) -> Iterator[httpx.Client]:
    with exact.client() as client:
        yield client


@pytest.fixture(scope="session")
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def openai_client(server: LiveServer) -> Iterator[openai.OpenAI]:
    url = f"{server.url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", timeout=HANG, max_retries=0) as client:
        yield client
