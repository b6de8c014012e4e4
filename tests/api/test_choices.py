"""Several outputs of one prompt: as single requests would give them, at the price of one prompt."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from llamabox import (
    ChoiceParams,
    Chunk,
    Completion,
    Engine,
    EngineClosed,
    EngineOverloaded,
    FinishReason,
    GenerationParams,
    InvalidRequest,
    Model,
    interleaved,
)
from llamabox.api import requests
from llamabox.ranges import MAX_SEED
from tests.api.conftest import ENDLESS, SMALL
from tests.core.running import eventually

HOT = ENDLESS.replace(temperature=1.5, top_k=0, top_p=1, min_p=0)
PROMPT = "a prompt that is long enough to be worth waiting for: " * 3


def outputs(completions: list[Completion]) -> list[tuple[int, ...]]:
    return [completion.tokens for completion in completions]


@pytest.mark.parametrize("prompt", ["x", PROMPT])
@pytest.mark.parametrize("seed", [7, MAX_SEED - 1])
def test_choices_are_single_requests_with_the_next_seeds(
    tiny_model: Model, prompt: str, seed: int
) -> None:
    seeds = [(seed + i) % (MAX_SEED + 1) for i in range(4)]
    with Engine(tiny_model, SMALL) as engine:
        single = [engine.generate(prompt, HOT, seed=seed) for seed in seeds]
        blocking = engine.generate_choices(prompt, HOT, seed=seed, n=4)
        awaited = asyncio.run(engine.agenerate_choices(prompt, HOT, seed=seed, n=4))
    assert len(set(outputs(single))) == 4
    assert outputs(blocking) == outputs(awaited) == outputs(single)


def test_choices_without_a_seed_differ(engine: Engine) -> None:
    first = engine.generate_choices("x", HOT, n=3)
    second = engine.generate_choices("x", HOT, n=3)
    assert len({*outputs(first), *outputs(second)}) == 6


def test_eight_choices_compute_the_prompt_once(tiny_model: Model) -> None:
    params = SMALL.replace(n_ctx=2048, n_parallel=8)
    with Engine(tiny_model, params) as engine:
        choices = engine.generate_choices(PROMPT, HOT, n=8, n_predict=8)
        stats = engine.stats()
    n_prompt = choices[0].n_prompt
    assert [choice.n_cached for choice in choices] == [0] + 7 * [n_prompt - 1]
    assert stats.n_prompt_tokens == n_prompt + 7
    assert stats.n_cached_tokens == 7 * (n_prompt - 1)


def test_more_choices_than_slots_compute_the_prompt_once(engine: Engine) -> None:
    before = engine.stats().n_prompt_tokens
    choices = engine.generate_choices("other " + PROMPT, HOT, n=10, n_predict=8)
    n_prompt, n_cached = choices[0].n_prompt, choices[0].n_cached
    assert {choice.n_cached for choice in choices[1:]} == {n_prompt - 1}
    assert engine.stats().n_prompt_tokens - before == n_prompt - n_cached + 9


def mean(completion: Completion) -> float:
    assert completion.logprobs
    return sum(entry.logprob for entry in completion.logprobs) / len(completion.logprobs)


def test_the_best_have_the_highest_mean_log_probability(engine: Engine) -> None:
    options = {"seed": 11, "n_probs": 0}
    every = engine.generate_choices("x", HOT, n=6, **options)
    best = engine.generate_choices("x", HOT, n=2, best_of=6, **options)
    assert outputs(best) == outputs(sorted(every, key=mean, reverse=True)[:2])
    assert [len(choice.logprobs or ()) for choice in best] == [32, 32]
    unasked = asyncio.run(engine.agenerate_choices("x", HOT, n=2, best_of=6, seed=11))
    assert outputs(unasked) == outputs(best)
    assert [choice.logprobs for choice in unasked] == [None, None]


def test_as_many_as_asked_for_stay_in_order(engine: Engine) -> None:
    plain = engine.generate_choices("x", HOT, n=3, seed=1)
    assert outputs(engine.generate_choices("x", HOT, n=3, best_of=3, seed=1)) == outputs(plain)


def test_streams_are_read_together(engine: Engine) -> None:
    async def run() -> tuple[dict[int, list[Chunk]], list[Completion | None]]:
        prompt = await engine.prepare(PROMPT)
        params = HOT.replace(seed=5)
        streams = await engine.submit_choices(prompt, params, ChoiceParams(n=3))
        chunks: dict[int, list[Chunk]] = {0: [], 1: [], 2: []}
        async for ready in interleaved(streams):
            assert len(ready) == len(dict(ready)) > 0
            for i, chunk in ready:
                chunks[i].append(chunk)
        return chunks, [stream.result for stream in streams]

    chunks, results = asyncio.run(run())
    expected = engine.generate_choices(PROMPT, HOT, seed=5, n=3)
    assert outputs([result for result in results if result]) == outputs(expected)
    for i, choice in enumerate(expected):
        assert "".join(chunk.text for chunk in chunks[i]) == choice.text
        assert [chunk.finish_reason for chunk in chunks[i]][-1] is FinishReason.LENGTH


def test_cancelling_one_choice_leaves_the_others(engine: Engine) -> None:
    async def run() -> list[Completion]:
        prompt = await engine.prepare("hello")
        streams = await engine.submit_choices(prompt, HOT, ChoiceParams(n=3))
        await anext(streams[1])
        streams[1].cancel()
        return [await stream.completion() for stream in streams]

    reasons = [completion.finish_reason for completion in asyncio.run(run())]
    assert reasons[::2] == [FinishReason.LENGTH, FinishReason.LENGTH]
    assert reasons[1] in (FinishReason.CANCELLED, FinishReason.LENGTH)


def test_cancelling_the_task_cancels_all(tiny_model: Model) -> None:
    with Engine(tiny_model, SMALL.replace(n_ctx=16_384)) as engine:

        async def run() -> None:
            endless = HOT.replace(n_predict=-1)
            task = asyncio.create_task(engine.agenerate_choices("hello", endless, n=6))
            await asyncio.to_thread(eventually, lambda: engine.stats().n_running == 4, "4 run")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(run())
        eventually(lambda: engine.stats().n_requests["cancelled"] == 6, "all are cancelled")


def test_choices_count_in_the_queue_and_start_together_or_not_at_all(tiny_model: Model) -> None:
    params = SMALL.replace(n_ctx=16_384, n_parallel=2, n_queue=3)
    with Engine(tiny_model, params) as engine:
        endless = HOT.replace(n_predict=-1)

        async def submit(n: int) -> list[object]:
            prompt = await engine.prepare("hello")
            return list(await engine.submit_choices(prompt, endless, ChoiceParams(n=n)))

        async def run() -> None:
            running = await submit(3)
            await asyncio.to_thread(eventually, lambda: engine.stats().n_running == 2, "2 run")
            with pytest.raises(EngineOverloaded):
                await submit(3)
            with pytest.raises(EngineOverloaded):
                engine.generate_choices("hello", endless, n=4)
            assert engine.stats().n_waiting == 1
            running += await submit(2)
            await asyncio.to_thread(eventually, lambda: engine.stats().n_waiting == 3, "3 wait")
            with pytest.raises(EngineOverloaded):
                await submit(1)
            del running

        asyncio.run(run())
        gc.collect()
        eventually(lambda: engine.stats().n_requests["cancelled"] == 5, "all are cancelled")
        assert len(engine.generate_choices("hello", HOT, n=5)) == 5
        for counts in {"n": 6}, {"n": 1, "best_of": 6}:
            with pytest.raises(InvalidRequest) as refusal:
                engine.generate_choices("hello", HOT, **counts)
            assert refusal.value.param == [*counts][-1]


def test_bad_counts_are_refused_by_name(engine: Engine) -> None:
    n_before = sum(engine.stats().n_requests.values())
    for counts, param in (
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"n": 1, "best_of": 129}, "best_of"),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            engine.generate_choices("x", ENDLESS, **counts)
        assert refusal.value.param == param
    after = GenerationParams(n_probs=1, post_sampling_probs=True)
    with pytest.raises(InvalidRequest) as refusal:
        engine.generate_choices("x", after, n=1, best_of=2)
    assert refusal.value.param == "best_of"
    assert sum(engine.stats().n_requests.values()) == n_before


def test_a_closed_engine_starts_none(tiny_model: Model) -> None:
    engine = Engine(tiny_model, SMALL)
    engine.close()
    with pytest.raises(EngineClosed):
        engine.generate_choices("x", n=2)
    with pytest.raises(EngineClosed):
        asyncio.run(engine.agenerate_choices("x", n=2))


@pytest.mark.parametrize(
    ("options", "is_apart"),
    [
        ({}, False),
        ({"dry_multiplier": 0.8}, True),
        ({"logit_bias": tuple((i, 5.0) for i in range(101))}, True),
    ],
)
def test_samplers_that_take_long_are_made_off_the_event_loop(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], is_apart: bool
) -> None:
    threads, sampler = [], requests.Sampler

    def make(*args: Any, **fields: Any) -> requests.Sampler:
        threads.append(threading.current_thread())
        return sampler(*args, **fields)

    monkeypatch.setattr(requests, "Sampler", make)
    params = HOT.replace(seed=7, **options)
    awaited = asyncio.run(engine.agenerate("x", params))
    assert (threads[0] is not threading.main_thread()) == is_apart
    assert outputs([awaited]) == outputs([engine.generate("x", params)])
