"""``X-Request-Tokens-Per-Second``, the flags behind it, and who shares a limit."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from sanic.compat import Header

from llamabox import GenerationParams, InvalidRequest
from llamabox.server.cli import parse
from llamabox.server.config import ServerConfig
from llamabox.server.rate_limit import RATE_HEADER, TENANT_HEADER, rate_limited
from llamabox.server.trace import AnyRequest
from tests.conftest import RandomModels
from tests.server.conftest import small_config
from tests.server.live import LiveServer
from tests.server.test_cli import refusal

CAP = 50.0
NEVER = {RATE_HEADER: "0.001"}
TEXT = {"prompt": [9, 8, 7], "max_tokens": 4, "ignore_eos": True, "deadline": 1.0}
CHAT = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "ignore_eos": True}
ROUTES = [("/v1/completions", TEXT), ("/completion", TEXT), ("/v1/chat/completions", CHAT)]
BAD = ["", "x", "0", "-1", "0.0", "nan", "inf", "1e1", "0x10", "20,30", "+5", "9" * 400, "1_0", "²"]


@pytest.fixture(scope="module")
def limited(random_models: RandomModels) -> Iterator[LiveServer]:
    params = small_config().engine_params.replace(tokens_per_second=CAP)
    config = small_config(model=random_models("llama"), engine_params=params, metrics=True)
    with LiveServer(config) as live:
        yield live.wait_ready()


@pytest.fixture(scope="module")
def keyed(random_models: RandomModels) -> Iterator[LiveServer]:
    params = small_config().engine_params.replace(tokens_per_second=CAP)
    config = small_config(
        model=random_models("llama"),
        engine_params=params,
        api_keys=("one", "two"),
        tokens_per_second_per_key=True,
    )
    with LiveServer(config) as live:
        yield live.wait_ready()


def n_output(reply: httpx.Response) -> int:
    assert reply.status_code == 200, reply.text
    return int(reply.json()["usage"]["completion_tokens"])


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_a_wrong_rate_is_a_400_that_names_the_header(
    limited: LiveServer, route: str, body: dict[str, Any]
) -> None:
    with limited.client() as client:
        for value in (*BAD, "50.5", "1000000000"):
            headers = [(RATE_HEADER.encode(), value.encode())]
            reply = client.post(route, json=body, headers=headers)
            error = reply.json()["error"]
            assert (reply.status_code, error["param"]) == (400, RATE_HEADER), value
            assert error["message"].startswith(f"{RATE_HEADER}: ")
        assert "50" in client.post(route, json=body, headers={RATE_HEADER: "51"}).text


def test_a_header_that_is_there_twice_is_refused(limited: LiveServer) -> None:
    with limited.client() as client:
        headers = [(RATE_HEADER, "20"), (RATE_HEADER, "40")]
        reply = client.post("/v1/completions", json=TEXT, headers=headers)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, RATE_HEADER)


@pytest.mark.parametrize(("route", "body"), ROUTES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_rate_within_the_cap_is_kept_to(
    limited: LiveServer, route: str, body: dict[str, Any], stream: bool
) -> None:
    with limited.client() as client:
        for value in ("50", "49.5", "0050"):
            reply = client.post(route, json=body | {"stream": stream}, headers={RATE_HEADER: value})
            assert reply.status_code == 200
        before = limited.stats().n_output_tokens
        held = client.post(route, json=body | {"stream": stream, "deadline": 1.0}, headers=NEVER)
        assert held.status_code == 200
    assert limited.stats().n_output_tokens == before + 1


def test_without_the_header_nobody_is_throttled(limited: LiveServer) -> None:
    with limited.client() as client:
        assert n_output(client.post("/v1/completions", json=TEXT | {"deadline": 0})) == 4


def test_a_server_without_a_cap_ignores_the_header(exact_client: httpx.Client) -> None:
    for value in ("0.001", "nonsense", "-1"):
        body = TEXT | {"deadline": 0}
        reply = exact_client.post("/v1/completions", json=body, headers={RATE_HEADER: value})
        assert n_output(reply) == 4


def test_choices_share_the_limit_of_their_request(limited: LiveServer) -> None:
    with limited.client() as client:
        reply = client.post("/v1/completions", json=TEXT | {"n": 3}, headers=NEVER)
    assert n_output(reply) == 1


def test_the_cap_and_those_that_it_holds_back_are_told(limited: LiveServer) -> None:
    with limited.client() as client:
        (model,) = client.get("/v1/models").json()["data"]
        assert model["meta"]["tokens_per_second"] == CAP
        assert "llamabox:requests_throttled 0" in client.get("/metrics").text


def test_the_requests_of_a_key_share_a_limit(keyed: LiveServer) -> None:
    with keyed.client() as client:

        def n_for(key: str, **headers: str) -> int:
            headers |= {"Authorization": f"Bearer {key}"} | NEVER
            return n_output(client.post("/v1/completions", json=TEXT, headers=headers))

        assert n_for("one") == 1
        assert n_for("one") == 0
        assert n_for("one", **{TENANT_HEADER: "another"}) == 0
        assert n_for("two") == 1
        reply = client.post("/v1/completions", json=TEXT, headers={"X-API-Key": "one"} | NEVER)
        assert n_output(reply) == 0


def test_the_spaces_around_a_rate_are_none_of_it() -> None:
    assert rated(ServerConfig(), CAP, **{RATE_HEADER: " 20\t"}).tokens_per_second == 20


def test_a_rate_far_above_the_cap_is_told_so() -> None:
    with pytest.raises(InvalidRequest, match="above the 50 that"):
        rated(ServerConfig(), CAP, **{RATE_HEADER: "999999999999"})


def rated(config: ServerConfig, most: float, **headers: str) -> GenerationParams:
    named = Header((name.replace("_", "-"), value) for name, value in headers.items())
    request = cast(AnyRequest, SimpleNamespace(headers=named))
    return rate_limited(request, GenerationParams(), config, most)


def test_without_the_header_a_key_has_the_cap_and_a_request_alone_has_none() -> None:
    shared = small_config(
        engine_params=small_config().engine_params.replace(tokens_per_second=CAP),
        tokens_per_second_per_key=True,
    )
    assert rated(shared, CAP) == GenerationParams(tokens_per_second=CAP, rate_key="tenant ")
    assert rated(shared, CAP, x_request_tokens_per_second="7").tokens_per_second == 7
    assert rated(small_config(), CAP) == GenerationParams()


def test_tenants_are_told_apart_where_there_are_no_keys() -> None:
    shared = small_config(
        engine_params=small_config().engine_params.replace(tokens_per_second=CAP),
        tokens_per_second_per_key=True,
    )
    one, two = (rated(shared, CAP, x_request_tenant=name).rate_key for name in ("one", "two"))
    assert one != two
    with pytest.raises(InvalidRequest) as caught:
        rated(shared, CAP, x_request_tenant="x" * 300)
    assert caught.value.param == TENANT_HEADER


@pytest.mark.parametrize(
    ("argv", "expected"),
    [([], 0), (["-tps", "20"], 20), (["--tokens-per-second", "-1"], -1), (["-tps", "0.5"], 0.5)],
)
def test_the_cap_is_the_engines_and_no_default_of_requests(
    argv: list[str], expected: float
) -> None:
    config = parse(argv).config
    assert config.engine_params.tokens_per_second == expected
    assert config.defaults == GenerationParams()


def test_sharing_by_key_needs_a_cap(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["-tps", "9", "--tokens-per-second-per-key"]).config.tokens_per_second_per_key
    assert "--tokens-per-second-per-key: needs" in refusal(capsys, "--tokens-per-second-per-key")


@pytest.mark.parametrize("value", ["-2", "nan", "x", "1e9", "0.0001"])
def test_a_cap_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert "--tokens-per-second" in refusal(capsys, "-tps", value)
