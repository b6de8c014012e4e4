"""What takes long is not done on the event loop, or not at a stretch."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from llamabox.api import requests

NATIVE = "/completion"
MANY_BIASES = [[i, 1] for i in range(101)]


@pytest.mark.parametrize(
    ("body", "is_apart"),
    [
        ({}, False),
        ({"logit_bias": MANY_BIASES[1:]}, False),
        ({"logit_bias": MANY_BIASES}, True),
        ({"dry_multiplier": 0.5}, True),
    ],
)
def test_samplers_that_take_long_to_make(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], is_apart: bool
) -> None:
    threads, sampler = [], requests.Sampler

    def make(*args: Any, **options: Any) -> requests.Sampler:
        threads.append(threading.current_thread().name)
        return sampler(*args, **options)

    monkeypatch.setattr(requests, "Sampler", make)
    response = client.post(NATIVE, json={"prompt": "x", "n_predict": 2} | body)
    assert response.status_code == 200
    (thread,) = threads
    assert (thread != "live-server") == is_apart
