"""Speculation over HTTP: flags, fields, and what usage, timings and metrics say of drafts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from llamabox import EngineParams, GenerationParams, InvalidRequest
from llamabox.server.cli import parse
from llamabox.server.schema import read_text
from tests.server.conftest import small_config
from tests.server.live import LiveServer
from tests.server.sse_reader import events
from tests.server.test_cli import refusal
from tests.server.test_metrics import scrape

DEFAULTS = GenerationParams()
TEXT = "a b c d e f "
QUESTION = "Repeat this text: The red fox ran over the hill and saw the blue box."
BODY: dict[str, Any] = {
    "prompt": TEXT * 3 + "a b",
    "messages": [{"role": "user", "content": QUESTION}],
    "max_tokens": 120,
    "temperature": 0,
    "ignore_eos": True,
}
ROUTES = ("/completion", "/v1/completions", "/v1/chat/completions")
OPENAI_ROUTES = ROUTES[1:]
FIELDS = (("n_max", 4), ("n_min", 2), ("p_min", 0.5))


def bounds_of(**body: Any) -> tuple[int, int, float]:
    params = read_text({"prompt": "x", **body}, DEFAULTS).params
    return params.n_draft_max, params.n_draft_min, params.draft_p_min


class TestFields:
    def test_dotted_and_in_an_object_they_are_the_same(self) -> None:
        dotted = {f"speculative.{name}": value for name, value in FIELDS}
        assert bounds_of(**dotted) == bounds_of(speculative=dict(FIELDS)) == (4, 2, 0.5)

    @pytest.mark.parametrize(
        ("body", "n_draft_max"),
        [
            ({}, -1),
            ({"speculative": None, "speculative.n_max": None}, -1),
            ({"speculative": True}, -1),
            ({"speculative": False}, 0),
            ({"speculative.n_max": 0}, 0),
            ({"speculative": {"n_max": 7}, "speculative.n_max": 5}, 5),
            ({"speculative": False, "speculative.n_max": 5}, 5),
        ],
    )
    def test_how_many_are_drafted(self, body: dict[str, Any], n_draft_max: int) -> None:
        assert bounds_of(**body)[0] == n_draft_max

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("n_max", 65),
            ("n_max", -2),
            ("n_max", 1.5),
            ("n_max", "many"),
            ("n_max", True),
            ("n_min", 65),
            ("n_min", []),
            ("p_min", 1.5),
            ("p_min", "0.5"),
        ],
    )
    def test_bad_values_are_refused_by_their_names(self, name: str, value: Any) -> None:
        for body in ({f"speculative.{name}": value}, {"speculative": {name: value}}):
            with pytest.raises(InvalidRequest, match=rf"^speculative\.{name}: ") as refused:
                read_text({"prompt": "x", **body}, DEFAULTS)
            assert refused.value.param == f"speculative.{name}"

    @pytest.mark.parametrize("value", [3, "off", [], [{}]])
    def test_what_is_no_object_is_refused(self, value: Any) -> None:
        with pytest.raises(InvalidRequest, match="speculative"):
            read_text({"prompt": "x", "speculative": value}, DEFAULTS)


class TestFlags:
    @pytest.mark.parametrize("n_max", ["--draft-max", "--draft", "--draft-n", "--spec-draft-n-max"])
    @pytest.mark.parametrize("n_min", ["--draft-min", "--draft-n-min", "--spec-draft-n-min"])
    @pytest.mark.parametrize("p_min", ["--draft-p-min", "--spec-draft-p-min"])
    def test_they_reach_the_engine_and_not_the_requests(
        self, n_max: str, n_min: str, p_min: str
    ) -> None:
        argv = [n_max, "8", n_min, "2", p_min, "0.5", "--lookup-ngram-min", "3"]
        config = parse(argv).config
        assert config.defaults == DEFAULTS
        assert config.engine_params == EngineParams(
            n_draft_max=8, n_draft_min=2, draft_p_min=0.5, lookup_ngram_min=3
        )

    @pytest.mark.parametrize(
        "argv",
        [
            ["--draft-max", "65"],
            ["--draft-n-min", "-1"],
            ["--draft-p-min", "2"],
            ["--lookup-ngram-min", "17"],
            ["--lookup-ngram-min", "x"],
        ],
    )
    def test_bad_ones_are_refused_in_a_line(
        self, capsys: pytest.CaptureFixture[str], argv: list[str]
    ) -> None:
        assert refusal(capsys, *argv).startswith("llamabox: error: argument --")

    def test_a_refusal_names_the_flag_as_the_help_has_it(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "argument --draft-max: " in refusal(capsys, "--draft-max", "65")

    def test_a_wrong_rate_is_told_of_the_trial_too(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "neither -1 nor within" in refusal(capsys, "-tps", "-2")


@pytest.fixture(name="drafting", scope="module")
def drafting_client() -> Iterator[httpx.Client]:
    """A client of the packaged model with lookup."""
    params = small_config().engine_params.replace(
        lookup_ngram_min=2, n_draft_max=8, flash_attention="off"
    )
    config = small_config(metrics=True, engine_params=params)
    with LiveServer(config) as live, live.wait_ready().client() as client:
        yield client


def ask(client: httpx.Client, route: str, **fields: Any) -> dict[str, Any]:
    response = client.post(route, json=BODY | fields)
    assert response.status_code == 200, response.text
    reply: dict[str, Any] = response.json()
    return reply


def check_usage(usage: dict[str, Any], n_output: int) -> None:
    details = usage["completion_tokens_details"]
    n_accepted = details["accepted_prediction_tokens"]
    n_rejected = details["rejected_prediction_tokens"]
    assert usage["completion_tokens"] == n_output
    assert usage["total_tokens"] == usage["prompt_tokens"] + n_output
    assert usage["draft_tokens"] == n_accepted + n_rejected > 0
    assert usage["draft_tokens_acceptance"] == n_accepted / usage["draft_tokens"]
    assert 0 < n_accepted < n_output


@pytest.mark.parametrize("route", OPENAI_ROUTES)
def test_the_usage_tells_of_drafts_and_bills_output_alone(
    drafting: httpx.Client, route: str
) -> None:
    check_usage(ask(drafting, route)["usage"], 120)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    check_usage(events(drafting, route, BODY | options)[-2]["usage"], 120)


@pytest.mark.parametrize("route", ROUTES)
def test_the_output_is_that_without_drafts(drafting: httpx.Client, route: str) -> None:
    def said(reply: dict[str, Any]) -> Any:
        return reply["content"] if "content" in reply else reply["choices"]

    drafted = ask(drafting, route)
    timings = drafted["timings"]
    assert timings["predicted_n"] == 120
    assert 0 < timings["draft_n_accepted"] <= timings["draft_n"]
    for off in ({"speculative": False}, {"speculative.n_max": 0}, {"speculative": {"n_max": 0}}):
        plain = ask(drafting, route, **off)
        assert said(plain) == said(drafted)
        assert "draft_n" not in plain["timings"]


def test_choices_are_summed(drafting: httpx.Client) -> None:
    check_usage(ask(drafting, "/v1/completions", n=3)["usage"], 360)


def test_the_metrics_count_what_the_usages_do(drafting: httpx.Client) -> None:
    before = scrape(drafting)
    usages = [ask(drafting, "/v1/completions", seed=seed)["usage"] for seed in range(3)]
    after = scrape(drafting)

    def grown(name: str) -> float:
        return after[f"llamabox:{name}"] - before[f"llamabox:{name}"]

    accepted = [u["completion_tokens_details"]["accepted_prediction_tokens"] for u in usages]
    at = [grown(f"tokens_drafted_accepted_at_total[{i}]") for i in range(8)]
    assert grown("tokens_drafted_total") == sum(usage["draft_tokens"] for usage in usages)
    assert grown("tokens_drafted_accepted_total") == sum(accepted) == sum(at) > 0
    assert at == sorted(at, reverse=True)
    assert "llamabox:tokens_drafted_accepted_at_total[8]" not in after
    assert grown("tokens_decode_total") == 360


def test_a_server_without_lookup_drafts_nothing(client: httpx.Client) -> None:
    usage = ask(client, "/v1/completions", **{"speculative.n_max": 8})["usage"]
    assert (usage["draft_tokens"], usage["draft_tokens_acceptance"]) == (0, 0.0)


def test_the_models_say_whether_there_is_speculation(
    drafting: httpx.Client, exact_client: httpx.Client
) -> None:
    for client, expected in ((drafting, True), (exact_client, False)):
        (model,) = client.get("/v1/models").json()["data"]
        assert model["meta"]["support_speculative"] is expected
