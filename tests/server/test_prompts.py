"""Prompts of every form, several at a time, echoed, and with a suffix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import httpx
import openai
import pytest

from llamabox.server.schema_prompt import MAX_PROMPTS
from tests.models.random_gguf import BOS, EOS, IM_END, IM_START, write_model
from tests.server.conftest import small_config
from tests.server.live import LiveServer
from tests.server.request_fields import NATIVE, TEXT
from tests.server.sse_reader import events
from tests.server.test_bad_input import error_of

GREEDY = {"temperature": 0, "max_tokens": 6, "ignore_eos": True}
FIM = {"fim_pre": IM_START, "fim_suf": IM_END, "fim_mid": BOS}


def ask(client: httpx.Client, path: str, prompt: Any, **body: Any) -> Any:
    response = client.post(path, json={**GREEDY, "prompt": prompt, **body})
    assert response.status_code == 200, response.text
    return response.json()


def text(client: httpx.Client, prompt: Any, **body: Any) -> str:
    (choice,) = ask(client, TEXT, prompt, **body)["choices"]
    return choice["text"]


def ids(client: httpx.Client, content: Any, **body: Any) -> list[int]:
    return client.post("/tokenize", json={"content": content, **body}).json()["tokens"]


@pytest.fixture(scope="module")
def fim_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a model with tokens for filling in."""

    def more(writer: gguf.GGUFWriter) -> None:
        for name, token in FIM.items():
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)

    file: Path = write_model(tmp_path_factory.mktemp("fim") / "fim.gguf", more=more)
    with LiveServer(small_config(model=file)) as server, server.client() as client:
        server.wait_ready()
        yield client


def test_one_prompt_in_all_its_forms(exact_client: httpx.Client) -> None:
    said = text(exact_client, "hello there")
    tokens = ids(exact_client, "hello there", add_special=True)
    pieces = [*ids(exact_client, "hello", add_special=True), " there"]
    for prompt in (
        ["hello there"],
        tokens,
        [tokens],
        pieces,
        [pieces],
        ["hello", *ids(exact_client, " there")],
        {"prompt_string": "hello there"},
        {"text": "hello there"},
        [{"prompt_string": "hello there"}],
    ):
        assert text(exact_client, prompt) == said


def test_each_prompt_has_its_own_choices(exact_client: httpx.Client) -> None:
    prompts = ["one", [5, 6, 7], ["two", 9]]
    reply = ask(exact_client, TEXT, prompts, n=2, seed=3, temperature=1)
    assert [choice["index"] for choice in reply["choices"]] == list(range(6))
    alone = [ask(exact_client, TEXT, prompt, n=2, seed=3, temperature=1) for prompt in prompts]
    assert [choice["text"] for choice in reply["choices"]] == [
        choice["text"] for each in alone for choice in each["choices"]
    ]
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert reply["usage"][name] == sum(each["usage"][name] for each in alone)


def test_native_answers_with_an_array(exact_client: httpx.Client) -> None:
    replies = ask(exact_client, NATIVE, ["one", [5, 6]])
    assert [reply["index"] for reply in replies] == [0, 1]
    assert replies[0]["prompt"] == "one"
    assert (
        replies[1]["prompt"]
        == exact_client.post("/detokenize", json={"tokens": [5, 6]}).json()["content"]
    )
    assert [reply["tokens_evaluated"] for reply in replies] == [len(ids(exact_client, "one")), 2]
    assert isinstance(ask(exact_client, NATIVE, ["one"]), dict)


def test_prompts_are_streamed_together(exact_client: httpx.Client) -> None:
    prompts = ["one", "two", "three"]
    body = {**GREEDY, "prompt": prompts, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(exact_client, TEXT, body)
    assert done == "[DONE]"
    texts = ["", "", ""]
    ends = []
    for chunk in chunks:
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["text"]
        ends += [choice["index"]] if choice["finish_reason"] else []
    assert sorted(ends) == [0, 1, 2]
    assert texts == [text(exact_client, prompt) for prompt in prompts]
    assert usage["usage"]["completion_tokens"] == 18
    assert {part["index"] for part in events(exact_client, NATIVE, body)} == {0, 1, 2}


def test_the_best_of_each_prompt_are_returned(exact_client: httpx.Client) -> None:
    body = {"temperature": 1.5, "seed": 1, "n": 1, "best_of": 3}
    reply = ask(exact_client, TEXT, ["one", "two"], **body)
    alone = [text(exact_client, prompt, **body) for prompt in ("one", "two")]
    assert [choice["text"] for choice in reply["choices"]] == alone
    assert reply["usage"]["completion_tokens"] == 2 * 3 * 6


@pytest.mark.parametrize(
    ("prompt", "n"), [(["x"] * (MAX_PROMPTS + 1), 1), (["x"] * 100, 11), ([[1]] * MAX_PROMPTS, 2)]
)
def test_too_many_are_refused(client: httpx.Client, prompt: Any, n: int) -> None:
    response = client.post(TEXT, json={"prompt": prompt, "n": n, "max_tokens": 1})
    assert error_of(response, 400)["param"] == "prompt"


def test_more_than_the_queue_holds_are_refused() -> None:
    params = small_config().engine_params.replace(n_queue=3, n_parallel=2)
    with LiveServer(small_config(engine_params=params)) as server, server.client() as client:
        server.wait_ready()
        for n_prompts, status in ((5, 200), (6, 400)):
            body = {"prompt": ["x"] * n_prompts, "max_tokens": 1}
            assert client.post(TEXT, json=body).status_code == status
        assert server.stats().n_waiting == 0


def test_one_bad_prompt_refuses_all(server: LiveServer, client: httpx.Client) -> None:
    before = server.stats().n_requests
    for bad in ([99999999], "", "word " * 5000):
        response = client.post(TEXT, json={"prompt": ["fine", bad], "max_tokens": 1})
        assert error_of(response, 400)["param"] == "prompt"
    assert server.stats().n_requests == before


def test_the_rate_header_is_for_all_prompts() -> None:
    params = small_config().engine_params.replace(tokens_per_second=1000)
    with LiveServer(small_config(engine_params=params)) as server, server.client() as client:
        server.wait_ready()
        headers = {"X-Request-Tokens-Per-Second": "1000"}
        body = {"prompt": ["one", "two"], "max_tokens": 2}
        assert client.post(TEXT, json=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", [TEXT, NATIVE])
def test_an_echo_begins_with_the_prompt(client: httpx.Client, path: str) -> None:
    name = "text" if path == TEXT else "content"

    def first(reply: Any) -> str:
        return (reply["choices"][0] if path == TEXT else reply)[name]

    plain = first(ask(client, path, "Once upon"))
    assert first(ask(client, path, "Once upon", echo=True)) == "Once upon" + plain
    tokens = ids(client, "Once upon", add_special=True)
    assert first(ask(client, path, tokens, echo=True)).endswith("Once upon" + plain)
    assert first(ask(client, path, "Once upon", echo=True, max_tokens=0)) == "Once upon"
    stream = events(client, path, {**GREEDY, "prompt": "Once upon", "echo": True})
    pieces = [first(event) for event in stream if event != "[DONE]"]
    assert pieces[0] == "Once upon"
    assert "".join(pieces) == "Once upon" + plain


def test_any_prompt_is_echoed(client: httpx.Client) -> None:
    """The frames of a stream are cut at a value of their own."""
    body = {**GREEDY, "prompt": "\x00", "echo": True, "timings_per_token": True}
    first, *_ = events(client, NATIVE, body)
    assert first["content"] == "\x00"
    assert not first.keys() & {"timings", "completion_probabilities"}


def test_log_probabilities_are_not_echoed(client: httpx.Client) -> None:
    body = {"prompt": "x", "echo": True, "logprobs": 1, "max_tokens": 1}
    assert error_of(client.post(TEXT, json=body), 400)["param"] == "echo"


def test_a_suffix_is_joined_by_the_models_tokens(fim_client: httpx.Client) -> None:
    tokens = ids(fim_client, [FIM["fim_pre"], "def f(", FIM["fim_suf"], "return", FIM["fim_mid"]])
    said = text(fim_client, tokens)
    assert text(fim_client, "def f(", suffix="return") == said
    assert text(fim_client, "def f(", suffix="return", echo=True) == "def f(" + said
    reply = ask(fim_client, TEXT, ["def f(", "x"], suffix="return")
    assert reply["choices"][0]["text"] == said
    assert text(fim_client, "def f(", suffix="") == text(fim_client, "def f(")


def test_infill_has_a_route_of_its_own(fim_client: httpx.Client) -> None:
    gap = {"input_prefix": "def f(", "input_suffix": "return"}
    plain = fim_client.post("/infill", json={**GREEDY, **gap}).json()
    assert plain["content"] == text(fim_client, "def f(", suffix="return")
    more = {"prompt": "a, ", "input_extra": [{"filename": "g.py", "text": "def g(): pass"}]}
    reply = fim_client.post("/infill", json={**GREEDY, **gap, **more}).json()
    assert reply["tokens_evaluated"] > plain["tokens_evaluated"] + 3


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input_prefix": "x"}, "input_suffix"),
        ({"input_suffix": "x"}, "input_prefix"),
        ({"input_prefix": 1, "input_suffix": "x"}, "input_prefix"),
        ({"input_prefix": "x", "input_suffix": "x", "input_extra": 5}, "input_extra"),
        ({"input_prefix": "x", "input_suffix": "x", "input_extra": [{}]}, "input_extra[0].text"),
        ({"input_prefix": "x", "input_suffix": "x", "prompt": 5}, "prompt"),
    ],
)
def test_a_gap_that_is_none(fim_client: httpx.Client, body: Any, param: str) -> None:
    assert error_of(fim_client.post("/infill", json=body), 400)["param"] == param


def test_a_model_without_such_tokens_refuses(exact_client: httpx.Client) -> None:
    error = error_of(exact_client.post(TEXT, json={"prompt": "x", "suffix": "y"}), 400)
    assert error["param"] == "suffix"
    assert "this model cannot fill in" in error["message"]
    gap = {"input_prefix": "x", "input_suffix": "y"}
    error = error_of(exact_client.post("/infill", json=gap), 400)
    assert error["param"] == "input_suffix"


def test_a_suffix_needs_a_text(fim_client: httpx.Client) -> None:
    response = fim_client.post(TEXT, json={"prompt": [1, 2], "suffix": "y"})
    assert error_of(response, 400)["param"] == "suffix"


@pytest.mark.parametrize("path", [NATIVE, "/completions"])
def test_native_has_an_alias(client: httpx.Client, path: str) -> None:
    assert ask(client, path, "Once")["stop"] is True


def test_the_openai_client_sends_several(openai_client: openai.OpenAI) -> None:
    reply = openai_client.completions.create(
        model="pocket", prompt=["Once", "Twice"], max_tokens=4, n=2, echo=True
    )
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]
    assert [choice.text[:4] for choice in reply.choices] == ["Once", "Once", "Twic", "Twic"]


def test_text_and_tokens_become_each_other(exact_client: httpx.Client) -> None:
    content = "a\u00e9 <|im_end|>"
    tokens = ids(exact_client, content)
    back = exact_client.post("/detokenize", json={"tokens": tokens}).json()
    assert back["content"] == content
    assert tokens[-1] == IM_END
    assert ids(exact_client, content, parse_special=False)[-1] != IM_END
    pieces = ids(exact_client, content, with_pieces=True)
    assert [piece["id"] for piece in pieces] == tokens
    assert pieces[-1]["piece"] == "<|im_end|>"
    assert [0xC3] in [piece["piece"] for piece in pieces]
    assert ids(exact_client, ["a", EOS, "b"]) == [
        *ids(exact_client, "a"),
        EOS,
        *ids(exact_client, "b"),
    ]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "content"),
        ("/tokenize", {"content": 5}, "content"),
        ("/tokenize", {"content": [1.5]}, "content"),
        ("/tokenize", {"content": [10**6]}, "content"),
        ("/tokenize", {"content": "x", "add_special": 1}, "add_special"),
        ("/tokenize", {"content": "x", "with_pieces": "no"}, "with_pieces"),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": "x"}, "tokens"),
        ("/detokenize", {"tokens": [True]}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
    ],
)
def test_what_cannot_be_converted(client: httpx.Client, path: str, body: Any, param: str) -> None:
    assert error_of(client.post(path, json=body), 400)["param"] == param
