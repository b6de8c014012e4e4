"""Text in, text out: for threads, for event loops, for several of both at once."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llama_cpp
import pytest

import llamabox
from llamabox import (
    Completion,
    Engine,
    EngineClosed,
    EngineParams,
    FinishReason,
    GenerationParams,
    Model,
    ModelLoadError,
    Prompt,
)
from tests.api.conftest import ENDLESS, SMALL

PROMPTS = ["hello", "one two three " * 5, "the end is near: " * 12, "x", "{'a': 1}", "né €"]


def run_async(engine: Engine, prompts: list[str]) -> list[Completion]:
    async def run() -> list[Completion]:
        return await asyncio.gather(*(engine.agenerate(p, ENDLESS) for p in prompts))

    return asyncio.run(run())


def texts(completions: list[Completion]) -> list[str]:
    return [completion.text for completion in completions]


@pytest.fixture(scope="module")
def expected(engine: Engine) -> list[str]:
    return [engine.generate(prompt, ENDLESS).text for prompt in PROMPTS]


def test_a_completion_is_whole(engine: Engine) -> None:
    completion = engine.generate("hello", ENDLESS)
    assert completion.finish_reason is FinishReason.LENGTH
    assert completion.n_output == len(completion.tokens) == 32
    assert completion.n_prompt == len(engine.model.tokenizer.encode("hello"))
    assert completion.text == engine.model.tokenizer.decode(completion.tokens)
    assert completion.stop_string is None
    timings = completion.timings
    assert timings.total >= timings.first_token >= timings.prefill > 0
    assert timings.total == pytest.approx(timings.first_token + timings.decode)


def test_chunks_join_to_the_completion(engine: Engine, expected: list[str]) -> None:
    for prompt, text in zip(PROMPTS, expected, strict=True):
        stream = engine.stream(prompt, ENDLESS)
        chunks = list(stream)
        assert "".join(chunk.text for chunk in chunks) == text
        assert sum(chunk.n_tokens for chunk in chunks) == 32
        assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert stream.result is not None
        assert stream.result.text == text
        assert next(stream, None) is None


def test_text_tokens_and_a_prepared_prompt_are_one_prompt(engine: Engine) -> None:
    tokens = engine.model.tokenizer.encode("hello there")
    by_text = engine.generate("hello there", ENDLESS).tokens
    assert engine.generate(tokens.tolist(), ENDLESS).tokens == by_text
    assert engine.generate(tokens, ENDLESS).tokens == by_text
    assert engine.generate(Prompt(tokens, "hello there"), ENDLESS).tokens == by_text


def test_a_conversation_is_its_rendered_text(engine: Engine) -> None:
    messages = [{"role": "user", "content": "hello"}]
    text = engine.template.render(messages)
    expected = engine.generate(text, ENDLESS).tokens
    assert engine.chat(messages, ENDLESS).tokens == expected
    assert engine.generate(messages, ENDLESS).tokens == expected
    assert asyncio.run(engine.achat(messages, ENDLESS)).tokens == expected


def test_options_change_parameters(engine: Engine) -> None:
    completion = engine.generate("hello", ENDLESS, n_predict=5)
    assert completion.n_output == 5
    text = engine.generate("hello", ENDLESS).text
    found = re.search("[ -~]{3}", text)
    assert found
    stopped = engine.generate("hello", ENDLESS, stop=("never", found[0]))
    assert (stopped.finish_reason, stopped.stop_string) == (FinishReason.STOP, found[0])
    assert stopped.text == text[: found.start()]


def test_a_seed_repeats_and_no_seed_differs(engine: Engine) -> None:
    hot = GenerationParams(temperature=2, top_k=0, top_p=1, min_p=0, n_predict=32, ignore_eos=True)
    assert engine.generate("x", hot, seed=7).tokens == engine.generate("x", hot, seed=7).tokens
    assert engine.generate("x", hot).tokens != engine.generate("x", hot).tokens


def test_awaited_and_blocking_calls_say_the_same(engine: Engine, expected: list[str]) -> None:
    assert texts(run_async(engine, PROMPTS)) == expected


def test_async_chunks_join_to_the_completion(engine: Engine, expected: list[str]) -> None:
    async def run() -> str:
        stream = await engine.astream(PROMPTS[0], ENDLESS)
        return "".join([chunk.text async for chunk in stream])

    assert asyncio.run(run()) == expected[0]


def test_threads_and_event_loops_share_an_engine(engine: Engine, expected: list[str]) -> None:
    def blocking() -> list[str]:
        return [engine.generate(prompt, ENDLESS).text for prompt in PROMPTS]

    def awaited() -> list[str]:
        return texts(run_async(engine, PROMPTS))

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(job) for job in (blocking, awaited) * 3]
        assert [job.result() for job in jobs] == [expected] * 6


def test_one_wakeup_a_step_for_all_streams_of_a_loop(tiny_model: Model) -> None:
    with Engine(tiny_model, EngineParams(n_ctx=2048, n_parallel=16, n_threads=1)) as engine:
        run_async(engine, [f"{i} hello" for i in range(16)])
        stats = engine.stats()
    assert stats.n_output_tokens == 16 * 32
    assert 0 < stats.n_wakeups <= stats.n_steps


def test_stats_count_what_ran(tiny_model: Model) -> None:
    with Engine(tiny_model, SMALL) as engine:
        completions = [engine.generate(prompt, ENDLESS) for prompt in PROMPTS]
        stats = engine.stats()
    assert (stats.n_ctx, stats.n_slots) == (1024, 4)
    assert stats.n_requests["length"] == len(PROMPTS)
    assert stats.n_output_tokens == sum(c.n_output for c in completions)
    assert stats.n_cached_tokens == sum(c.n_cached for c in completions)
    assert stats.n_prompt_tokens == sum(c.n_prompt - c.n_cached for c in completions)
    assert sum(stats.first_token.counts) == len(PROMPTS)
    assert len(stats.first_token.counts) == len(stats.first_token.bounds) + 1
    assert sum(stats.inter_token.counts) == stats.n_output_tokens - len(PROMPTS)
    assert (stats.n_running, stats.n_waiting) == (0, 0)


def test_engines_with_a_model_of_their_own_or_a_shared_one_do_not_meet(
    tiny_path: Path, tiny_model: Model, expected: list[str]
) -> None:
    with Engine(tiny_model, SMALL) as one, Engine(tiny_model, SMALL) as two:
        with Engine(tiny_path, SMALL) as three, ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(run_async, engine, PROMPTS) for engine in (one, two, three)]
            assert [texts(job.result()) for job in jobs] == [expected] * 3
        assert two.generate(PROMPTS[0], ENDLESS).text == expected[0]


def test_the_model_of_a_llama_is_shared_and_stays_its_own(
    tiny_path: Path, expected: list[str]
) -> None:
    llama = llama_cpp.Llama(str(tiny_path), n_ctx=128, n_threads=1, verbose=False)
    model = Model.from_llama(llama)
    with Engine(model, SMALL) as engine:
        assert texts(run_async(engine, PROMPTS)) == expected
    model.close()
    assert llama.tokenize(b"hello")
    llama.close()
    with pytest.raises(ModelLoadError):
        Model.from_llama(llama)


def calls(engine: Engine) -> list[Callable[[], object]]:
    messages = [{"role": "user", "content": "hello"}]
    return [
        lambda: engine.generate("hello"),
        lambda: engine.generate([1, 2, 3]),
        lambda: engine.chat(messages),
        lambda: engine.stream("hello"),
        lambda: asyncio.run(engine.agenerate("hello")),
        lambda: asyncio.run(engine.agenerate([1, 2, 3])),
        lambda: asyncio.run(engine.achat(messages)),
    ]


def test_a_closed_engine_refuses_every_call_and_closes_again(tiny_path: Path) -> None:
    engine = Engine(tiny_path, SMALL)
    engine.close()
    engine.close()
    for call in calls(engine):
        with pytest.raises(EngineClosed):
            call()
    assert engine.stats().n_running == 0


def test_closing_ends_running_and_queued_streams_as_cancelled(tiny_model: Model) -> None:
    engine = Engine(tiny_model, EngineParams(n_ctx=4096, n_parallel=2, n_threads=1))
    streams = [engine.stream("hello", ENDLESS, n_predict=-1) for _ in range(6)]
    next(streams[0])
    engine.close()
    assert {stream.completion().finish_reason for stream in streams} == {FinishReason.CANCELLED}


def test_closing_from_another_thread_ends_a_blocking_call(tiny_model: Model) -> None:
    engine = Engine(tiny_model, EngineParams(n_ctx=4096, n_parallel=1, n_threads=1))
    timer = threading.Timer(0.05, engine.close)
    timer.start()
    for _ in range(1000):
        try:
            completion = engine.generate("hello", ENDLESS, n_predict=-1)
        except EngineClosed:
            break
        if completion.finish_reason is FinishReason.CANCELLED:
            break
    else:
        pytest.fail("it never closed")
    timer.join()


def test_an_engine_that_is_dropped_ends_its_thread_and_its_fds(tiny_path: Path) -> None:
    def use() -> None:
        engine = Engine(tiny_path, SMALL)
        engine.generate("hello", ENDLESS)
        run_async(engine, PROMPTS)

    use()
    gc.collect()
    threads, fds = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        use()
    gc.collect()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == fds  # noqa: PTH208


def test_the_packaged_model_chats() -> None:
    with Engine(None, SMALL) as engine:
        assert engine.model.path == llamabox.packaged_model()
        answer = engine.chat([{"role": "user", "content": "What is your name?"}], n_predict=40)
    assert answer.text.strip()
    assert answer.finish_reason in (FinishReason.EOG, FinishReason.LENGTH)


def mappings(path: Path) -> int:
    """How often a file is mapped into this process."""
    return Path("/proc/self/maps").read_text().count(str(path))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_engine_that_is_refused_leaves_nothing_mapped(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    shutil.copy(llamabox.packaged_model(), path)
    with pytest.raises(llamabox.TemplateError):
        llamabox.Engine(path, chat_template="{% if")
    assert mappings(path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_model_that_is_dropped_is_freed(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    shutil.copy(llamabox.packaged_model(), path)
    model = llamabox.Model.load(path)
    assert mappings(path) > 0
    del model
    gc.collect()
    assert mappings(path) == 0


def test_a_closed_models_tokenizer_refuses() -> None:
    model = llamabox.Model.load()
    model.close()
    with pytest.raises(llamabox.EngineClosed):
        model.tokenizer.encode("hello")


def test_a_full_queue_refuses() -> None:
    with Engine(params=EngineParams(n_parallel=1, n_queue=2)) as engine:
        options = {"n_predict": -1, "ignore_eos": True}
        running = engine.stream("one", **options)
        next(running)
        waiting = [engine.stream("more", **options) for _ in range(2)]
        with pytest.raises(llamabox.EngineOverloaded) as refusal:
            engine.stream("too many", **options)
        assert refusal.value.retry_after > 0
        for stream in (running, *waiting):
            stream.cancel()


def test_a_deadline_ends_a_generation() -> None:
    with Engine() as engine:
        result = engine.generate("one", n_predict=-1, ignore_eos=True, deadline=0.02)
        assert result.finish_reason is FinishReason.DEADLINE
