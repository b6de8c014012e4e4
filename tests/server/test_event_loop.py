"""What takes long is not done on the event loop, or not at a stretch."""

from __future__ import annotations

import asyncio
import itertools
import threading
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest

from llamabox.api import Prompt, requests
from llamabox.server import generation
from llamabox.server.routes import tokens
from tests.server.live import LiveServer
from tests.server.test_bad_input import error_of

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


def test_a_reply_with_many_biases_is_rendered_apart(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, whole = [], generation._whole

    def render(*args: Any) -> bytes:
        threads.append(threading.current_thread().name)
        return whole(*args)

    monkeypatch.setattr(generation, "_whole", render)
    monkeypatch.setattr(generation, "LARGE_REPLY", 250)
    body = {"prompt": "x", "n_predict": 0, "logit_bias": MANY_BIASES}
    settings = client.post(NATIVE, json=body).json()["generation_settings"]
    choices = client.post(NATIVE, json=body | {"n": 3}).json()
    assert [thread == "live-server" for thread in threads] == [True, False]
    for choice in choices:
        assert choice["generation_settings"] == settings
        assert [[b["token"], b["bias"]] for b in settings["logit_bias"]] == MANY_BIASES


def test_the_loop_has_a_turn_between_prompts(
    server: LiveServer, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, order = server.service.engine, []
    prepare = engine.prepare

    async def prepare_one(prompt: Any) -> Prompt:
        asyncio.get_running_loop().call_soon(order.append, "turn")
        order.append(prompt)
        return await prepare(prompt)

    monkeypatch.setattr(engine, "prepare", prepare_one)
    prompts = [f"number {i}" for i in range(10)]
    reply = client.post(NATIVE, json={"prompt": prompts, "n_predict": 1}).json()
    assert [choice["prompt"] for choice in reply] == prompts
    assert order[0:20:2] == prompts
    assert order[1:20:2] == ["turn"] * 10


@pytest.mark.parametrize(("n_prompts", "n"), [(1024, 2), (9, 128)])
def test_too_many_outputs_are_refused_before_anything_is_tokenized(
    server: LiveServer,
    client: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    n_prompts: int,
    n: int,
) -> None:
    monkeypatch.setattr(server.service.engine, "prepare", None)
    response = client.post(NATIVE, json={"prompt": ["x"] * n_prompts, "n": n})
    assert "more than 1024" in error_of(response, 400)["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokenize", {"content": "Some words. " * 50}),
        ("/tokenize", {"content": "S\u00f8me words. " * 50, "with_pieces": True}),
        ("/tokenize", {"content": []}),
        ("/detokenize", {"tokens": [5, 6, 7]}),
    ],
)
def test_tokens_are_rendered_apart_and_in_slices(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    expected = client.post(path, json=body).json()
    rendered = []

    def dumps(value: Any) -> bytes:
        assert threading.current_thread().name != "live-server"
        rendered.append(value)
        return orjson.dumps(value)

    monkeypatch.setattr(tokens, "orjson", SimpleNamespace(dumps=dumps))
    monkeypatch.setattr(tokens, "SLICE", 7)
    assert client.post(path, json=body).json() == expected
    slices = [value for value in rendered if isinstance(value, list)]
    assert list(itertools.chain(*slices)) == expected.get("tokens", [])
    assert all(0 < len(each) <= 7 for each in slices)
