"""What prompts take of others over HTTP: flags, fields, and what the usage says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llamabox import EngineParams, GenerationParams
from llamabox.server.cli import parse
from tests.conftest import RandomModels
from tests.server.conftest import small_config
from tests.server.live import LiveServer

ROUTES = ("/completion", "/v1/completions", "/v1/chat/completions")
A, B, C, D = ([run * 50 + i for i in range(40)] for run in range(1, 5))


@pytest.fixture(name="anew", scope="module")
def anew_client(random_models: RandomModels) -> Iterator[httpx.Client]:
    """A client of a server that was started with --no-cache-prompt and --cache-reuse 20."""
    config = small_config(
        model=Path(random_models("llama")),
        engine_params=EngineParams(n_ctx=512, n_threads=1, n_parallel=2, kv_layout="unified"),
        defaults=GenerationParams(cache_prompt=False, n_cache_reuse=20),
    )
    with LiveServer(config) as live, live.wait_ready().client() as client:
        yield client


def cached(client: httpx.Client, prompt: list[int], **fields: Any) -> int:
    body = {"prompt": prompt, "n_predict": 2, "temperature": 0, "ignore_eos": True} | fields
    response = client.post("/completion", json=body)
    assert response.status_code == 200, response.text
    reply = response.json()
    assert reply["tokens_cached"] == reply["timings"]["cache_n"]
    assert reply["tokens_cached"] + reply["timings"]["prompt_n"] == len(prompt)
    return int(reply["tokens_cached"])


def test_the_fields_win_over_the_flags(anew: httpx.Client) -> None:
    assert cached(anew, A + B + C) == 0
    assert cached(anew, A + B + C) == 0
    assert cached(anew, A + B + C, cache_prompt=True, n_cache_reuse=0) == 119
    assert cached(anew, A + C + D, cache_prompt=True, n_cache_reuse=0) == 40
    assert cached(anew, B + C + D, cache_prompt=True, n_cache_reuse=81) == 0
    assert cached(anew, C + D, cache_prompt=True) == 79, "moved"
    assert cached(anew, A + B + D, cache_prompt=None) == 0


@pytest.mark.parametrize("route", ROUTES)
def test_chat_and_text_know_the_fields(anew: httpx.Client, route: str) -> None:
    message = {"role": "user", "content": f"{route} asks the same question again and again"}
    body = {"prompt": message["content"], "messages": [message], "max_tokens": 1}
    replies = [anew.post(route, json=body | {"cache_prompt": on}) for on in (True, True, False)]
    counts = [reply.json()["timings"]["cache_n"] for reply in replies]
    assert counts[1] > counts[0]
    assert counts[2] == 0


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cache_prompt", 1),
        ("cache_prompt", "no"),
        ("n_cache_reuse", -1),
        ("n_cache_reuse", 2**31),
        ("n_cache_reuse", True),
    ],
)
def test_bad_values_are_refused_by_their_names(
    anew: httpx.Client, route: str, field: str, value: Any
) -> None:
    body = {"prompt": "hi", "messages": [{"role": "user", "content": "hi"}], field: value}
    response = anew.post(route, json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("argv", "cache_prompt", "n_cache_reuse"),
    [
        ([], True, 0),
        (["--no-cache-prompt", "--cache-reuse", "256"], False, 256),
        (["--no-cache-prompt", "--cache-prompt"], True, 0),
    ],
)
def test_the_flags_reach_the_defaults(
    argv: list[str], cache_prompt: bool, n_cache_reuse: int
) -> None:
    defaults = parse(argv).config.defaults
    assert (defaults.cache_prompt, defaults.n_cache_reuse) == (cache_prompt, n_cache_reuse)


def test_a_bad_flag_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["--cache-reuse", "-1"])
    assert "--cache-reuse" in capsys.readouterr().err
