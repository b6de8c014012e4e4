"""Prompts that cannot run are refused before anything is queued."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from typing import Any

import numpy as np
import pytest

from llamabox import (
    Engine,
    GenerationError,
    InvalidRequest,
    NoTokenLeft,
    Prompt,
    PromptTooLong,
)
from llamabox.api import Conversation, Tool, prompts
from llamabox.api.prompts import MANY_CHARS, is_short
from llamabox.api.stream import NO_TOKEN
from tests.api.conftest import ENDLESS


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    "tokens",
    [
        [-1],
        [512],
        [1, 2, 10**6],
        [2**31],
        [2**70],
        [1.5],
        [1, 2.0],
        [None],
        [[1, 2], [3, 4]],
        [[1], [2, 3]],
        np.array([[1, 2]]),
        np.array([0.5, 1.5]),
        np.array(5),
    ],
    ids=str,
)
def test_bad_token_ids_are_refused(engine: Engine, tokens: Any) -> None:
    with pytest.raises(InvalidRequest) as error:
        engine.generate(tokens, n_predict=1)
    assert error.value.param == "prompt"


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, np.uint8)])
def test_token_ids_may_come_in_any_sequence(engine: Engine, kind: Any) -> None:
    assert engine.generate(kind([5, 6, 7]), ENDLESS).n_prompt == 3


@pytest.mark.parametrize("prompt", ["", [], ()])
def test_an_empty_prompt_is_refused(engine: Engine, prompt: Any) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        engine.generate(prompt)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc80" * 100])
def test_lone_surrogates_are_refused(engine: Engine, text: str) -> None:
    with pytest.raises(InvalidRequest):
        engine.generate(text)
    with pytest.raises(InvalidRequest):
        engine.chat([{"role": "user", "content": text}])


@pytest.mark.parametrize("n", [1024, 1025, 5000])
def test_a_prompt_that_does_not_fit_is_refused_with_both_counts(engine: Engine, n: int) -> None:
    with pytest.raises(PromptTooLong) as error:
        engine.generate([5] * n)
    assert (error.value.n_prompt, error.value.n_ctx) == (n, 1024)
    assert str(n) in str(error.value)
    assert "1024" in str(error.value)
    assert error.value.param == "prompt"


def test_the_longest_prompt_that_fits_runs(engine: Engine) -> None:
    completion = engine.generate([5] * 1023, ENDLESS)
    assert (completion.n_prompt, completion.n_output) == (1023, 1)


def test_a_text_that_is_one_token_too_long_is_refused_by_its_count(engine: Engine) -> None:
    with pytest.raises(PromptTooLong) as error:
        engine.generate("Z" * 1024)
    assert error.value.n_prompt == 1024
    assert engine.generate("Z" * 1023, ENDLESS).n_prompt == 1023


def test_twenty_megabytes_of_text_are_refused_without_tokenizing(engine: Engine) -> None:
    text = "once upon a time " * (20_000_000 // 17)
    encoded = []
    tokenizer = engine.model.tokenizer
    encode = tokenizer.encode
    tokenizer.encode = lambda *args, **options: encoded.append(args) or encode(*args, **options)
    try:
        for prompt in (text, [{"role": "user", "content": text}]):
            with pytest.raises(PromptTooLong) as error:
                engine.generate(prompt)
            assert error.value.n_ctx == 1024
            assert error.value.n_prompt > 1024
    finally:
        del tokenizer.encode
    assert encoded == []


def test_an_estimate_of_the_tokens_is_never_too_high(engine: Engine) -> None:
    tokenizer, rng = engine.model.tokenizer, random.Random(71)
    letters = "aeiou thn<|im_start|>é€😀\n"
    for _ in range(300):
        text = "".join(rng.choices(letters, k=rng.randint(0, 80)))
        text += "<|im_start|>" * rng.randint(0, 3)
        assert tokenizer.least_tokens(text) <= len(tokenizer.encode(text))


def test_tokens_of_any_text_say_that_text(engine: Engine) -> None:
    tokenizer, rng = engine.model.tokenizer, random.Random(72)
    for _ in range(300):
        kinds = [rng.randrange(32, 0xD800), 97, 0x1F600, 10, 9]
        text = "".join(map(chr, rng.choices(kinds, k=rng.randint(0, 40))))
        tokens = tokenizer.encode(text, add_special=False, parse_special=False)
        assert tokenizer.decode(tokens) == text


def test_control_tokens_in_a_text_are_read_or_not(engine: Engine) -> None:
    tokenizer = engine.model.tokenizer
    assert len(tokenizer.encode("<|im_end|>")) == 1
    assert len(tokenizer.encode("<|im_end|>", parse_special=False)) > 1


def test_refusals_leave_no_request_behind(engine: Engine) -> None:
    before = engine.stats()

    async def run() -> None:
        for prompt in ("", "Z" * 5000, "\ud800"):
            with pytest.raises(InvalidRequest):
                await engine.agenerate(prompt)

    asyncio.run(run())
    after = engine.stats()
    assert (after.n_steps, after.n_requests) == (before.n_steps, before.n_requests)


@pytest.mark.parametrize("message", ["hello", None, 5, {}, {"role": 1, "content": "x"}])
def test_what_is_no_message_is_refused(engine: Engine, message: Any) -> None:
    with pytest.raises(InvalidRequest):
        engine.chat([message])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reasoning", True),
        ("reasoning", {"enabled": False}),
        ("template_kwargs", 5),
        ("template_kwargs", ["a"]),
        ("tools", 5),
        ("tools", "abc"),
        ("tools", [5]),
    ],
)
def test_what_is_no_field_of_a_conversation_is_refused(
    engine: Engine, name: str, value: Any
) -> None:
    with pytest.raises(InvalidRequest) as error:
        engine.chat([user("x")], **{name: value})
    assert error.value.param == name


@pytest.mark.parametrize("token", [-1, 512])
def test_a_prompt_of_another_vocabulary_is_refused(engine: Engine, token: int) -> None:
    async def run(prompt: Prompt) -> None:
        with pytest.raises(InvalidRequest, match="vocabulary"):
            await engine.agenerate(prompt, n_predict=1)
        with pytest.raises(InvalidRequest, match="vocabulary"):
            await engine.agenerate_choices(prompt, n=2, n_predict=1)

    prompt = Prompt(np.array([1, token], np.int32), "")
    with pytest.raises(InvalidRequest, match="vocabulary"):
        engine.generate(prompt, n_predict=1)
    asyncio.run(run(prompt))


def test_no_messages_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="no messages"):
        engine.chat([])


def test_a_failure_inside_llama_is_a_generation_error(engine: Engine) -> None:
    for finish in (6, NO_TOKEN):
        stream = engine.stream("hello", ENDLESS)
        list(stream)
        stream._exhausted = False
        stream.feed(b"", [], finish)
        with pytest.raises(GenerationError):
            next(stream)
        assert next(stream, None) is None


def test_biases_that_leave_no_token_are_a_wrong_request(engine: Engine) -> None:
    banned = tuple((token, -math.inf) for token in range(engine.model.n_vocab))
    n_before = engine.stats().n_requests
    for temperature in (0.0, 1.0):
        with pytest.raises(NoTokenLeft) as error:
            engine.generate("hello", temperature=temperature, logit_bias=banned)
        assert error.value.param == "logit_bias"
    stream = engine.stream("hello", logit_bias=banned)
    for _ in range(2):
        with pytest.raises(NoTokenLeft):
            stream.completion()
    assert engine.stats().n_requests == n_before | {"no_token": n_before["no_token"] + 3}
    assert engine.generate("hello", n_predict=1).n_output == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [user("x" * MANY_CHARS)]},
        {"messages": [user("x")] * MANY_CHARS},
        {"messages": [user([{"type": "text", "text": "x" * MANY_CHARS}])]},
        {"messages": [user("x") | {"reasoning_content": "x" * MANY_CHARS}]},
        {"messages": [user("x")], "tools": [Tool("say", "x" * MANY_CHARS, {})]},
        {"messages": [user("x")], "tools": [Tool("say", "", {"x" * MANY_CHARS: {}})]},
        {"messages": [user("x")], "template_kwargs": {"say": ["x"] * MANY_CHARS}},
    ],
)
def test_a_long_conversation_is_not_rendered_on_the_event_loop(fields: dict[str, Any]) -> None:
    assert not is_short(Conversation(**fields))


def test_a_short_conversation_is_prepared_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a longer text of it on another thread: the tokens are the same."""
    monkeypatch.setattr(prompts, "FEW", 120)

    async def prepare() -> tuple[int, int]:
        threads: list[str] = []
        render = engine._prompts._from_rendered

        def noted(*args: Any) -> Any:
            threads.append(threading.current_thread().name)
            return render(*args)

        engine._prompts._from_rendered = noted  # type: ignore[method-assign]
        try:
            for text in ("short", "a long text " * 6):
                conversation = Conversation(messages=[user(text)])
                prompt = await engine.prepare(conversation)
                assert prompt.tokens.tolist() == engine._prompts.read(conversation).tokens.tolist()
        finally:
            del engine._prompts._from_rendered
        here = threading.current_thread().name
        return threads.count(here), len(threads)

    assert asyncio.run(prepare()) == (2, 3)
