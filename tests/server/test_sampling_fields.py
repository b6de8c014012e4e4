"""Every sampling field of a request: a good value changes the parameters, a bad one is named."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest

from llamabox.errors import InvalidRequest
from llamabox.params import GenerationParams
from llamabox.server.schema import read_text

DEFAULTS = GenerationParams()
FIELDS: dict[str, tuple[Any, Any, Any]] = {
    # name: good value, what the parameter becomes, bad value
    "temperature": (0.5, 0.5, "hot"),
    "dynatemp_range": (0.3, 0.3, -1),
    "dynatemp_exponent": (2, 2.0, "x"),
    "top_k": (5, 5, 1.5),
    "top_p": (0.5, 0.5, 1.5),
    "min_p": (0.2, 0.2, -0.1),
    "min_keep": (2, 2, -1),
    "typical_p": (0.9, 0.9, 2),
    "top_n_sigma": (1.5, 1.5, "x"),
    "xtc_probability": (0.5, 0.5, 2),
    "xtc_threshold": (0.2, 0.2, -1),
    "repeat_last_n": (-1, -1, -2),
    "repeat_penalty": (1.2, 1.2, 0),
    "presence_penalty": (0.5, 0.5, []),
    "frequency_penalty": (-0.5, -0.5, True),
    "dry_multiplier": (0.8, 0.8, -1),
    "dry_base": (2, 2.0, "x"),
    "dry_allowed_length": (3, 3, -1),
    "dry_penalty_last_n": (100, 100, -2),
    "dry_sequence_breakers": (["\n", "."], ("\n", "."), [1]),
    "mirostat": (2, 2, 3),
    "mirostat_tau": (4, 4.0, "x"),
    "mirostat_eta": (0.2, 0.2, "x"),
    "adaptive_target": (0.5, 0.5, "x"),
    "adaptive_decay": (0.8, 0.8, 2),
    "logit_bias": ({"5": 1.5, "6": False}, ((5, 1.5), (6, -math.inf)), {"x": 1}),
    "samplers": (["top_k", "temp"], ("top_k", "temperature"), ["top_z"]),
    "seed": (7, 7, -2),
    "n_keep": (-1, -1, -2),
    "n_cache_reuse": (9, 9, -1),
    "n_discard": (16, 16, -1),
    "priority": (2, 2, 5000),
    "deadline": (0.5, 0.5, -1),
    "n_probs": (3, 3, -2),
    "post_sampling_probs": (True, True, 1),
}


def params_of(**body: Any) -> GenerationParams:
    return read_text({"prompt": "x", **body}, DEFAULTS).params


@pytest.mark.parametrize("name", FIELDS)
def test_a_good_value_becomes_the_parameter(name: str) -> None:
    good, expected, _ = FIELDS[name]
    assert getattr(params_of(**{name: good}), name) == expected != getattr(DEFAULTS, name)


@pytest.mark.parametrize("name", FIELDS)
def test_a_bad_value_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        params_of(**{name: FIELDS[name][2]})
    assert (refusal.value.param or "").startswith(name)


@pytest.mark.parametrize("name", FIELDS)
def test_null_is_the_default(name: str) -> None:
    assert params_of(**{name: None}) == DEFAULTS


def test_a_bias_can_be_a_list_of_pairs() -> None:
    assert params_of(logit_bias=[[3, 2], [4, False]]).logit_bias == ((3, 2.0), (4, -math.inf))


@pytest.mark.parametrize("bias", [5, [[1]], [[1, "x"]], [["a", 1]], {"1": True}, [[True, 1]]])
def test_what_is_no_bias_is_refused(bias: Any) -> None:
    with pytest.raises(InvalidRequest, match="logit_bias"):
        params_of(logit_bias=bias)


def test_samplers_can_be_letters() -> None:
    assert params_of(samplers="kt").samplers == ("top_k", "temperature")


def test_a_token_outside_the_vocabulary_is_a_400(client: httpx.Client) -> None:
    body = {"prompt": "hello", "max_tokens": 1, "logit_bias": {"99999999": 1}}
    response = client.post("/v1/completions", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "logit_bias"


def test_a_banned_token_never_comes(client: httpx.Client) -> None:
    body = {"prompt": "Once upon a time", "max_tokens": 8, "temperature": 0, "stream": False}
    plain = client.post("/completion", json=body).json()["content"]
    first = client.post("/completion", json=body | {"max_tokens": 1}).json()["content"]
    assert plain.startswith(first)
    every_start = {str(token): False for token in range(2000) if token != 1}
    other = client.post("/completion", json=body | {"logit_bias": every_start, "max_tokens": 1})
    assert other.json()["content"] != first
