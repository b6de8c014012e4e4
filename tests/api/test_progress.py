"""Chunks name their tokens, and tell how far the prompt is computed if that is asked for."""

from __future__ import annotations

import pytest

from llamabox import Engine, InvalidRequest, Model
from tests.api.conftest import ENDLESS, SMALL

PROMPT = "a long prompt " * 60


def test_the_tokens_of_the_chunks_are_those_of_the_output(engine: Engine) -> None:
    stream = engine.stream("hello", ENDLESS)
    chunks = list(stream)
    assert all(len(chunk.tokens) == chunk.n_tokens for chunk in chunks)
    assert stream.result is not None
    assert tuple(t for chunk in chunks for t in chunk.tokens) == stream.result.tokens


def test_chunks_have_no_progress_unless_asked(engine: Engine) -> None:
    assert all(chunk.progress is None for chunk in engine.stream(PROMPT, ENDLESS))


def test_progress_grows_to_the_whole_prompt(tiny_model: Model) -> None:
    with Engine(tiny_model, SMALL.replace(n_ubatch=32, n_batch=64)) as engine:
        stream = engine.stream(PROMPT, ENDLESS, progress=True, n_predict=4)
        found = [chunk.progress for chunk in stream if chunk.progress]
        again = engine.stream(PROMPT, ENDLESS, progress=True, n_predict=4)
        second = [chunk.progress for chunk in again if chunk.progress]
    assert stream.result is not None
    n_prompt = stream.result.n_prompt
    n_computed = [progress.n_computed for progress in found]
    assert n_computed == sorted(set(n_computed))
    assert n_computed[-1] == n_prompt > n_computed[0]
    assert {(progress.n_prompt, progress.n_cached) for progress in found} == {(n_prompt, 0)}
    seconds = [progress.seconds for progress in found]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
    assert [(p.n_cached, p.n_computed) for p in second] == [(n_prompt - 1, n_prompt)]


def test_a_prompt_alone_is_told_of_too(engine: Engine) -> None:
    chunks = list(engine.stream("only this", ENDLESS, n_predict=0, progress=True))
    assert chunks[-1].progress is not None
    assert chunks[-1].progress.n_computed == chunks[-1].progress.n_prompt


def test_it_is_a_bool() -> None:
    with pytest.raises(InvalidRequest, match="progress"):
        ENDLESS.replace(progress=1)
