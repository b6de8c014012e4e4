"""Context shift over HTTP: flags, fields, what replies and metrics say of it."""

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
from tests.server.sse_reader import events
from tests.server.test_metrics import scrape

ROUTES = ("/completion", "/v1/completions", "/v1/chat/completions")
BODY: dict[str, Any] = {
    "prompt": [5, 6, 7, 8, 9],
    "messages": [{"role": "user", "content": "hi"}],
    "n_predict": 200,
    "temperature": 0,
    "ignore_eos": True,
}


@pytest.fixture(name="shifting", scope="module")
def shifting_client(random_models: RandomModels) -> Iterator[httpx.Client]:
    """A client of a server whose context of 64 cells shifts, and keeps three tokens."""
    config = small_config(
        model=Path(random_models("llama")),
        metrics=True,
        engine_params=EngineParams(n_ctx=64, n_threads=1, context_shift=True),
        defaults=GenerationParams(n_keep=3),
    )
    with LiveServer(config) as live, live.wait_ready().client() as client:
        yield client


def ask(client: httpx.Client, route: str = "/completion", **fields: Any) -> dict[str, Any]:
    response = client.post(route, json=BODY | fields)
    assert response.status_code == 200, response.text
    reply: dict[str, Any] = response.json()
    return reply


@pytest.mark.parametrize("route", ROUTES)
def test_an_output_longer_than_the_context_comes_whole(shifting: httpx.Client, route: str) -> None:
    before = scrape(shifting)["llamabox:context_shifts_total"]
    assert ask(shifting, route)["timings"]["predicted_n"] == 200
    assert scrape(shifting)["llamabox:context_shifts_total"] > before


def test_a_stream_says_the_same_and_that_it_was_truncated(shifting: httpx.Client) -> None:
    whole = ask(shifting)
    *parts, last = events(shifting, "/completion", BODY)
    assert "".join(part["content"] for part in parts) == whole["content"]
    assert (whole["truncated"], last["truncated"]) == (True, True)
    assert ask(shifting, n_predict=50)["truncated"] is False


def test_the_fields_win_over_the_flag(shifting: httpx.Client) -> None:
    default = ask(shifting)
    assert default["generation_settings"]["n_keep"] == 3
    assert ask(shifting, n_keep=3)["content"] == default["content"]
    assert ask(shifting, n_keep=-1)["content"] == ask(shifting, n_keep=5)["content"]
    changes: list[dict[str, int]] = [{}, {"n_keep": 0}, {"n_keep": -1}, {"n_discard": 7}]
    assert len({ask(shifting, **change)["content"] for change in changes}) == 4
    assert ask(shifting, n_keep=10**6, n_discard=10**6)["tokens_predicted"] == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("field", "value"),
    [("n_keep", -2), ("n_keep", 2**31), ("n_keep", "all"), ("n_discard", -1), ("n_discard", 0.5)],
)
def test_bad_values_are_refused_by_their_names(
    shifting: httpx.Client, route: str, field: str, value: Any
) -> None:
    response = shifting.post(route, json=BODY | {field: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)


def test_without_the_flag_the_output_ends_with_the_context(client: httpx.Client) -> None:
    reply = ask(client, n_predict=-1, n_keep=3, n_discard=4)
    assert (reply["truncated"], reply["stop_type"]) == (True, "limit")


@pytest.mark.parametrize(
    ("argv", "shifts"),
    [([], False), (["--context-shift"], True), (["--context-shift", "--no-context-shift"], False)],
)
def test_the_flags_reach_the_engine(argv: list[str], shifts: bool) -> None:
    config = parse([*argv, "--keep", "-1"]).config
    assert config.engine_params.context_shift is shifts
    assert config.defaults.n_keep == -1


def test_a_bad_flag_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["--keep", "-2"])
    assert "--keep" in capsys.readouterr().err
