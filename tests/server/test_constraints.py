"""Grammars, schemas and response formats over HTTP, and the flags for those of all requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from llamabox.server.cli import parse

CHAT, TEXT, NATIVE = "/v1/chat/completions", "/v1/completions", "/completion"
HELLO: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Name a colour."}],
    "max_tokens": 60,
    "seed": 4,
}
COLOUR = {"type": "object", "properties": {"c": {"enum": ["red", "blue"]}}, "required": ["c"]}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def named(schema: object, **more: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "colour", "schema": schema, **more}}


def content(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": named(COLOUR, strict=True)},
        {"response_format": named(COLOUR)},
        {"response_format": {"type": "json_object", "schema": COLOUR}},
        {"json_schema": COLOUR},
        {"response_format": {"type": "text"}, "json_schema": COLOUR, "grammar": "", "regex": ""},
        {"response_format": named(COLOUR), "tools": [], "n": 1},
    ],
)
def test_schemas(client: httpx.Client, fields: dict[str, Any]) -> None:
    assert json.loads(content(client.post(CHAT, json=HELLO | fields)))["c"] in ("red", "blue")


def test_any_object_and_any_value(client: httpx.Client) -> None:
    asked = HELLO | {"response_format": {"type": "json_object"}, "max_tokens": 5}
    assert content(client.post(CHAT, json=asked)).startswith("{")
    body = {"prompt": "1 + 1 =", "json_schema": {}, "max_tokens": 5, "seed": 1}
    assert re.match(r'[{\["\dtfn-]', client.post(NATIVE, json=body).json()["content"])


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"grammar": 'root ::= "ja" | "nein"'}, "ja|nein"),
        ({"grammar": '%llguidance {}\nstart: "ja" | "nein"'}, "ja|nein"),
        ({"regex": "[a-f]{4}/[0-9]"}, "[a-f]{4}/[0-9]"),
    ],
)
def test_grammars(client: httpx.Client, fields: dict[str, Any], pattern: str) -> None:
    reply = client.post(CHAT, json=HELLO | fields).json()["choices"][0]
    assert re.fullmatch(pattern, reply["message"]["content"])
    assert reply["finish_reason"] == "stop"
    reply = client.post(TEXT, json={"prompt": "x", "max_tokens": 60} | fields).json()
    assert re.fullmatch(pattern, reply["choices"][0]["text"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"grammar": 3}, "grammar"),
        ({"grammar": "root ::= x"}, "grammar"),
        ({"regex": "("}, "regex"),
        ({"regex": ["a"]}, "regex"),
        ({"json_schema": "{}"}, "json_schema"),
        ({"json_schema": {"uniqueItems": True}}, "json_schema"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({"response_format": named([])}, "response_format.json_schema.schema"),
        ({"response_format": named({"not": {}})}, "response_format.json_schema.schema"),
        (
            {"response_format": {"type": "json_object", "schema": {"not": {}}}},
            "response_format.schema",
        ),
        ({"response_format": named({}, strict=3)}, "response_format.json_schema.strict"),
        ({"grammar": 'root ::= "a"', "json_schema": {}}, "json_schema"),
        (
            {"grammar": 'root ::= "a"', "response_format": {"type": "json_object"}},
            "response_format",
        ),
        ({"grammar": 'root ::= "a"', "tools": TOOLS}, "grammar"),
        ({"json_schema": {}, "tools": TOOLS}, "json_schema"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    for stream in (False, True):
        response = client.post(CHAT, json=HELLO | fields | {"stream": stream})
        assert response.status_code == 400, response.text
        error = response.json()["error"]
        assert error["param"] == param
        assert error["message"].startswith(param)


def test_unsupported_keywords_are_named(client: httpx.Client) -> None:
    response = client.post(CHAT, json=HELLO | {"response_format": named({"uniqueItems": True})})
    assert "uniqueItems" in response.json()["error"]["message"]


def test_a_grammar_goes_with_tools_that_are_not_used(client: httpx.Client) -> None:
    fields = {"grammar": 'root ::= "a"', "tools": TOOLS, "tool_choice": "none"}
    assert content(client.post(CHAT, json=HELLO | fields)) == "a"


def test_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grammar, schema = tmp_path / "a.gbnf", tmp_path / "s.json"
    grammar.write_text('root ::= "ä"', encoding="utf-8")
    schema.write_text("{}", encoding="utf-8")
    for argv, field, value in (
        (["--grammar", 'root ::= "a"'], "grammar", 'root ::= "a"'),
        (["--grammar-file", str(grammar)], "grammar", 'root ::= "ä"'),
        (["-j", "{}"], "json_schema", "{}"),
        (["--json-schema", "{}"], "json_schema", "{}"),
        (["-jf", str(schema)], "json_schema", "{}"),
        (["--json-schema-file", str(schema)], "json_schema", "{}"),
    ):
        assert getattr(parse(argv).config.defaults, field) == value
    for argv in (
        ["--grammar-file", str(tmp_path / "none")],
        ["--grammar", "root ::= x", "-j", "{}"],
        ["--grammar", "root ::= x", "--grammar-file", str(grammar)],
    ):
        with pytest.raises(SystemExit):
            parse(argv)
        assert "argument --" in capsys.readouterr().err
