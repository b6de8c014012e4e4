"""``/lora-adapters``: which adapters there are, and with what scales."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llamabox.server.json_body import LARGE_BODY
from tests.conftest import RandomModels
from tests.models.lora import write_adapter
from tests.server.conftest import small_config
from tests.server.live import LiveServer

GREEDY = {"prompt": "hello", "temperature": 0, "n_predict": 16, "ignore_eos": True}


@pytest.fixture(scope="module", name="file")
def adapter_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_adapter(tmp_path_factory.mktemp("adapters") / "a.gguf", 1)


@pytest.fixture(scope="module", name="adapted")
def adapted_client(random_models: RandomModels, file: Path) -> Iterator[httpx.Client]:
    params = small_config().engine_params.replace(
        lora=((str(file), 1.0), (str(file), 0.5)), flash_attention="off"
    )
    with LiveServer(small_config(model=random_models("llama"), engine_params=params)) as live:
        live.wait_ready()
        with live.client() as client:
            yield client


def scales(client: httpx.Client) -> list[float]:
    return [adapter["scale"] for adapter in client.get("/lora-adapters").json()]


def said(client: httpx.Client) -> Any:
    return client.post("/completion", json=GREEDY).json()["content"]


def test_they_are_listed(adapted: httpx.Client, file: Path) -> None:
    expected = [
        {"id": 0, "path": str(file), "scale": 1.0},
        {"id": 1, "path": str(file), "scale": 0.5},
    ]
    assert adapted.get("/lora-adapters").json() == expected


def test_without_adapters_the_list_is_empty(client: httpx.Client) -> None:
    assert client.get("/lora-adapters").json() == []
    response = client.post("/lora-adapters", json=[{"id": 0, "scale": 1}])
    assert response.status_code == 400


def test_scales_are_set_for_requests_to_come(adapted: httpx.Client) -> None:
    texts = []
    for body in ([{"id": 0, "scale": 2.0}], [{"id": 1, "scale": -2.0}], []):
        response = adapted.post("/lora-adapters", json=body)
        assert (response.status_code, response.json()) == (200, {"success": True})
        texts.append(said(adapted))
        found = {item["id"]: item["scale"] for item in body}
        assert scales(adapted) == [found.get(0, 0.0), found.get(1, 0.0)]
    assert len(set(texts)) == 3
    adapted.post("/lora-adapters", json=[{"id": 0, "scale": 1.0}, {"id": 1, "scale": 0.5}])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"5",
        b"[5]",
        b'[{"scale": 1}]',
        b'[{"id": 0}]',
        b'[{"id": 7, "scale": 1}]',
        b'[{"id": -1, "scale": 1}]',
        b'[{"id": "0", "scale": 1}]',
        b'[{"id": 0, "scale": "1"}]',
        b'[{"id": 0, "scale": 1e300}]',
        b'[{"id": 0, "scale": 1}, {"id": 0, "scale": 2}]',
        b"[" + b"{}," * 256 + b"5]",
        b"[" + b" " * LARGE_BODY + b"5]",
    ],
)
def test_what_is_wrong_is_a_400_and_changes_nothing(adapted: httpx.Client, body: bytes) -> None:
    before = scales(adapted)
    response = adapted.post("/lora-adapters", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert scales(adapted) == before


def test_too_many_are_told_before_they_are_looked_at(adapted: httpx.Client) -> None:
    response = adapted.post("/lora-adapters", content=b"[" + b"5," * 256 + b"5]")
    assert "more than 256" in response.json()["error"]["message"]


def test_a_long_list_is_read(adapted: httpx.Client) -> None:
    body = b"[" + b" " * LARGE_BODY + b'{"id": 0, "scale": 1}, {"id": 1, "scale": 0.5}]'
    assert adapted.post("/lora-adapters", content=body).status_code == 200
    assert scales(adapted) == [1.0, 0.5]
