"""The log probabilities of output tokens, in chunks and in whole outputs."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llamabox import (
    Candidate,
    ChoiceParams,
    Chunk,
    Completion,
    Engine,
    FinishReason,
    GenerationParams,
    SampledToken,
    interleaved,
)
from llamabox.api.stream import MANY_PROBS
from tests.api.conftest import ENDLESS
from tests.core.running import eventually

HOT = ENDLESS.replace(temperature=1.5, top_k=0, top_p=1, min_p=0, seed=3)


def check(completion: Completion, n_probs: int) -> None:
    """There is one entry for each token, in order, with its bytes."""
    assert completion.logprobs is not None
    assert tuple(entry.token for entry in completion.logprobs) == completion.tokens
    for entry in completion.logprobs:
        assert isinstance(entry, SampledToken)
        assert entry.logprob < 0
        assert len(entry.top) == n_probs
        assert all(type(candidate) is Candidate for candidate in entry.top)
        found = [candidate.logprob for candidate in entry.top]
        assert found == sorted(found, reverse=True)
        assert entry.logprob <= max(found, default=0)
    text = b"".join(entry.bytes for entry in completion.logprobs)
    assert text.decode(errors="replace").startswith(completion.text)


def test_nothing_is_told_unasked(engine: Engine) -> None:
    completion = engine.generate("hello", ENDLESS)
    assert completion.logprobs is None
    assert {chunk.logprobs for chunk in engine.stream("hello", ENDLESS)} == {None}


@pytest.mark.parametrize("n_probs", [0, 4])
@pytest.mark.parametrize("params", [ENDLESS, HOT])
def test_every_token_has_an_entry(engine: Engine, params: GenerationParams, n_probs: int) -> None:
    completion = engine.generate("hello", params, n_probs=n_probs)
    check(completion, n_probs)
    assert completion.n_output == 32
    if params is ENDLESS and n_probs:
        assert all(entry.top[0].token == entry.token for entry in completion.logprobs or ())


def test_no_tokens_have_no_entries(engine: Engine) -> None:
    assert engine.generate("hello", ENDLESS, n_probs=1, n_predict=0).logprobs == ()


def test_a_stop_string_has_entries_too(engine: Engine) -> None:
    found = re.search("[ -~]{3}", engine.generate("hello", ENDLESS).text)
    assert found
    stopped = engine.generate("hello", ENDLESS, stop=(found[0],), n_probs=2)
    assert stopped.finish_reason is FinishReason.STOP
    check(stopped, 2)


def check_chunks(chunks: list[Chunk], result: Completion | None) -> None:
    """The chunks have the entries of their tokens, and the last one has several."""
    entries: list[SampledToken] = []
    for chunk in chunks:
        assert chunk.logprobs is not None
        assert len(chunk.logprobs) == chunk.n_tokens
        entries += chunk.logprobs
    assert chunks[-1].n_tokens > 1
    assert result is not None
    assert result.logprobs == tuple(entries)
    check(result, 2)


def wait_for_end(engine: Engine) -> None:
    eventually(lambda: engine.stats().n_running == 0, "the generation has ended")


@pytest.mark.parametrize("stop", [(), ("th\N{SNOWMAN}", "a\N{SNOWMAN}")], ids=["free", "held"])
def test_a_thread_that_reads_slowly_gets_every_entry(engine: Engine, stop: tuple[str]) -> None:
    stream = engine.stream("hello", ENDLESS, n_probs=2, stop=stop)
    chunks = [next(stream)]
    wait_for_end(engine)
    check_chunks([*chunks, *stream], stream.result)


def test_a_task_that_reads_slowly_gets_every_entry(engine: Engine) -> None:
    async def run() -> None:
        stream = await engine.astream("hello", ENDLESS, n_probs=2)
        chunks = [await anext(stream)]
        wait_for_end(engine)  # nothing else runs on this loop
        chunks += [chunk async for chunk in stream]
        check_chunks(chunks, stream.result)

    asyncio.run(run())


def test_after_the_samplers_they_sum_to_one_at_most(engine: Engine) -> None:
    params = HOT.replace(top_k=4, n_probs=10, post_sampling_probs=True)
    completion = engine.generate("hello", params)
    for entry in completion.logprobs or ():
        assert 1 <= len(entry.top) <= 4
        assert sum(math.exp(c.logprob) for c in entry.top) == pytest.approx(1, abs=1e-5)
        assert entry.token in {candidate.token for candidate in entry.top}
    greedy = engine.generate("hello", params, temperature=0).logprobs or ()
    assert {entry.logprob for entry in greedy} == {0.0}


MANY = ENDLESS.replace(n_predict=64, n_probs=200)


async def slow_parts(parts_of_all: AsyncIterator[Any], engine: Engine) -> list[Any]:
    """What is read after everything has ended; between two parts the loop has a turn."""
    n_turns = 0

    async def count() -> None:
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    wait_for_end(engine)
    counter = asyncio.create_task(count())
    parts, seen = [], []
    async for part in parts_of_all:
        parts.append(part)
        seen.append(n_turns)
    counter.cancel()
    assert len(set(seen)) == len(seen)
    return parts


def test_many_are_told_a_few_at_a_time(engine: Engine) -> None:
    async def read() -> None:
        stream = await engine.astream("hello", MANY)
        chunks = await slow_parts(stream, engine)
        assert len(chunks) > 64 * 201 // MANY_PROBS
        assert max(chunk.n_probs for chunk in chunks) <= MANY_PROBS
        assert all(len(chunk.logprobs) == chunk.n_tokens == len(chunk.tokens) for chunk in chunks)
        result = stream.result
        assert result is not None
        check(result, 200)
        assert result.logprobs == tuple(entry for chunk in chunks for entry in chunk.logprobs)
        assert result.tokens == tuple(token for chunk in chunks for token in chunk.tokens)
        assert result.text == "".join(chunk.text for chunk in chunks)
        assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)

    asyncio.run(read())


def test_those_of_many_choices_come_in_small_batches(engine: Engine) -> None:
    async def read() -> None:
        prompt = await engine.prepare("hello")
        streams = await engine.submit_choices(prompt, MANY, ChoiceParams(n=4))
        batches = await slow_parts(interleaved(streams), engine)
        assert max(sum(chunk.n_probs for _, chunk in batch) for batch in batches) < 2 * MANY_PROBS
        for i, stream in enumerate(streams):
            assert stream.result is not None
            tokens = [token for batch in batches for j, c in batch if i == j for token in c.tokens]
            assert tuple(tokens) == stream.result.tokens
            check(stream.result, 200)

    asyncio.run(read())
