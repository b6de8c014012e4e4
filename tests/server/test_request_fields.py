"""The table of all request fields: good values, bad values, and that it lacks none."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection
from functools import partial
from typing import Any

import httpx
import pytest

from llamabox.errors import InvalidRequest
from llamabox.params import GenerationParams, ReasoningParams
from llamabox.server import schema
from llamabox.server.schema_fields import Fields
from llamabox.server.schema_unknown import IGNORED
from tests.server.request_fields import ALL, CASES, CHAT, MESSAGES, NATIVE, TEXT, body_of

DEFAULTS = GenerationParams()
READERS = {
    CHAT: partial(schema.read_chat, reasoning=ReasoningParams()),
    TEXT: schema.read_text,
    NATIVE: schema.read_text,
}
CASE = pytest.mark.parametrize(("route", "name"), CASES)


def read(route: str, body: dict[str, Any]) -> Any:
    return READERS[route](body, defaults=DEFAULTS)


def params_of(**body: Any) -> GenerationParams:
    return schema.read_text({"prompt": "x", **body}, DEFAULTS).params


@CASE
def test_a_good_value_is_read(route: str, name: str) -> None:
    field = CASES[route, name]
    request = read(route, body_of(route, name, field.good))
    assert request.unknown == ()
    if field.becomes is not None:
        path, expected = field.becomes
        assert operator.attrgetter(path)(request) == expected


@CASE
def test_it_is_not_what_is_read_without(route: str, name: str) -> None:
    field = CASES[route, name]
    if field.becomes is not None and name not in ("messages", "prompt"):
        path, expected = field.becomes
        without = read(route, body_of(route, name, None))
        assert operator.attrgetter(path)(without) != expected


@CASE
def test_a_bad_value_is_refused_by_name(route: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(route, body_of(route, name, CASES[route, name].bad))
    assert (refusal.value.param or "").startswith(name)
    assert name in str(refusal.value)


@CASE
def test_null_is_the_same_as_absent(route: str, name: str) -> None:
    if name not in ("messages", "prompt"):
        body = body_of(route, name, None)
        present = read(route, body)
        del body[name]
        assert present == read(route, body)


@pytest.mark.parametrize("route", ALL)
def test_the_table_is_complete(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: set[str] = set()

    class Spy(Fields):
        def __init__(self, values: Any, path: str = "") -> None:
            super().__init__(values, path)
            self._asked = set() if path else names
            self._asked.update(values)

        def raw(self, name: str) -> Any:
            self._asked.add(name)
            return super().raw(name)

        def given(self, some: Collection[str]) -> list[str]:
            self._asked.update(some)
            return super().given(some)

    monkeypatch.setattr(schema, "Fields", Spy)
    table = {name: field for (at, name), field in CASES.items() if at == route}
    for name, field in table.items():
        read(route, body_of(route, name, field.good))
    assert names == set(table)


def test_fields_of_openai_that_change_nothing_are_ignored(client: httpx.Client) -> None:
    body = {name: {"any": ["value"]} for name in IGNORED} | {"prompt": "x", "max_tokens": 1}
    response = client.post(TEXT, json=body)
    assert response.status_code == 200
    assert "x-llamabox-warning" not in response.headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ALL)
def test_unknown_fields_are_listed_in_a_header(
    client: httpx.Client, route: str, stream: bool
) -> None:
    body = body_of(route, "max_tokens", 1) | {"stream": stream, "top_kk": 5, "tail_free": 1}
    response = client.post(route, json=body)
    assert response.headers["x-llamabox-warning"] == "unknown fields: top_kk, tail_free"


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/apply-template", {"messages": MESSAGES}),
        ("/tokenize", {"content": "x", "model": "m"}),
        ("/detokenize", {"tokens": [1], "model": "m"}),
    ],
)
def test_so_are_those_of_routes_that_generate_nothing(
    client: httpx.Client, route: str, body: dict[str, Any]
) -> None:
    assert "x-llamabox-warning" not in client.post(route, json=body).headers
    response = client.post(route, json=body | {"tops": 5})
    assert response.status_code == 200
    assert response.headers["x-llamabox-warning"] == "unknown fields: tops"


def test_the_list_of_unknown_fields_is_short_and_safe(client: httpx.Client) -> None:
    names = ["a\r\nSet-Cookie: b", "\x00\u20ac, c", "x" * 9999, *(f"f{i}" for i in range(500))]
    body = dict.fromkeys(names, 1) | {"prompt": "x", "max_tokens": 1}
    response = client.post(TEXT, json=body)
    header = response.headers["x-llamabox-warning"]
    assert header.startswith("unknown fields: a??Set-Cookie:?b, ????c, xxx")
    assert header.endswith(", and 487 more")
    assert len(header) < 2000
    assert "set-cookie" not in response.headers


def test_the_first_name_of_several_wins() -> None:
    assert params_of(max_tokens=2, n_predict=9, max_completion_tokens=1).n_predict == 1
    assert params_of(temp=0.1, temperature=0.2).temperature == 0.2


def test_a_bias_can_be_a_list_of_pairs() -> None:
    biases = params_of(logit_bias=[[3, 2], [4, False], ["ab", -2]]).logit_bias
    assert biases == ((3, 2.0), (4, -math.inf), ("ab", -2.0))


@pytest.mark.parametrize(
    "bias", [5, [[1]], [[1, "x"]], [["", 1]], [[1.5, 1]], {"1": True}, [[True, 1]], {"x" * 5000: 1}]
)
def test_what_is_no_bias_is_refused(bias: Any) -> None:
    with pytest.raises(InvalidRequest, match="logit_bias"):
        params_of(logit_bias=bias)


def test_samplers_can_be_letters() -> None:
    assert params_of(samplers="kt").samplers == ("top_k", "temperature")


def test_seeds_and_bases_that_peers_write_for_a_default() -> None:
    assert params_of(seed=2**32 - 1).seed == params_of(seed=-1).seed == -1
    assert params_of(dry_base=0).dry_base == DEFAULTS.dry_base


def test_of_a_longer_seed_the_lower_half_counts() -> None:
    assert params_of(seed=2**40 + 5).seed == 5
    assert params_of(seed=-(2**63) + 5).seed == 5
    assert params_of(seed=-2).seed == 2**32 - 2


@pytest.mark.parametrize("stop", ["", [], [""], ["", ""]])
def test_empty_stop_strings_stop_nothing(stop: str | list[str]) -> None:
    assert params_of(stop=stop).stop == ()
    assert params_of(stop=["a", "", "b"]).stop == ("a", "b")


def test_a_refusal_is_what_the_assistant_said() -> None:
    messages = [{"role": "assistant", "content": None, "refusal": "no"}]
    (read_message,) = read(CHAT, {"messages": messages}).messages
    assert read_message["content"] == "no"
    for refused in ({"role": "user", "refusal": "no"}, {"role": "assistant", "refusal": ""}):
        with pytest.raises(InvalidRequest, match="content"):
            read(CHAT, {"messages": [refused]})


def test_a_token_outside_the_vocabulary_is_a_400(client: httpx.Client) -> None:
    body = {"prompt": "hello", "max_tokens": 1, "logit_bias": {"99999999": 1}}
    response = client.post(TEXT, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "logit_bias"
