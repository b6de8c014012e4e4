"""Uses that nobody means, and that must cost nobody more than an error."""

from __future__ import annotations

import asyncio
import gc
import os
import threading

import psutil
import pytest

import llamabox
from llamabox import Engine, EngineClosed, EngineParams, FinishReason, InvalidRequest, Model
from tests.api.conftest import ENDLESS
from tests.core.running import eventually

LONG = ENDLESS.replace(n_predict=-1)


def n_step_threads() -> int:
    return sum(thread.name == "llamabox-step" for thread in threading.enumerate())


def test_two_closers_both_wait_for_the_end(tiny_model: Model) -> None:
    n_before = n_step_threads()
    engine = Engine(tiny_model, EngineParams(n_ctx=100_000, n_threads=1))
    stream = engine.stream(list(range(256)) * 200, LONG)
    closers = [threading.Thread(target=engine.close) for _ in range(2)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()
        assert n_step_threads() == n_before
    assert stream.completion().finish_reason is FinishReason.CANCELLED


def test_an_engine_that_is_collected_by_a_thread_at_work_on_it_ends(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage is collected wherever it is, inside the engine's gate too."""
    n_before = n_step_threads()
    engine = Engine(tiny_model, EngineParams(n_ctx=512, n_threads=1))
    reader, encode = engine._prompts, tiny_model.tokenizer.encode
    cycle: list[object] = [engine]
    cycle.append(cycle)

    def collect_and_encode(text: str, **options: bool) -> object:
        gc.collect()
        return encode(text, **options)

    monkeypatch.setattr(tiny_model.tokenizer, "encode", collect_and_encode)
    n_tokens: list[int] = []
    worker = threading.Thread(
        target=lambda: n_tokens.append(reader.read("hello").n_tokens), daemon=True
    )
    gc.disable()
    try:
        del engine, cycle
        worker.start()
        worker.join(20)
    finally:
        gc.enable()
    assert n_tokens
    assert n_tokens[0] > 0
    eventually(lambda: n_step_threads() == n_before, "the engine has ended")


def test_streams_that_are_dropped_after_the_engine_closed_free_their_descriptors(
    tiny_model: Model,
) -> None:
    process = psutil.Process()
    engine = Engine(tiny_model, EngineParams(n_ctx=512, n_threads=1))
    gc.collect()
    before = process.num_fds()
    streams = [engine.stream("x", LONG) for _ in range(5)]
    engine.close()
    del streams
    gc.collect()
    assert process.num_fds() == before


def test_a_second_task_on_a_stream_is_refused(tiny_model: Model) -> None:
    async def both() -> None:
        with Engine(tiny_model, EngineParams(n_ctx=100_000, n_threads=1)) as engine:
            stream = await engine.astream(list(range(256)) * 200, LONG)
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task"):
                await anext(stream)
            stream.cancel()
            await first

    asyncio.run(both())


def test_infill_with_a_grammar_is_refused(tiny_model: Model) -> None:
    with Engine(tiny_model) as engine, pytest.raises(InvalidRequest, match="infill"):
        engine.generate("x", samplers=("infill",), grammar='root ::= [a-z]* "x"')


def test_a_grammar_that_has_ended_ends_the_output(tiny_model: Model) -> None:
    with Engine(tiny_model) as engine:
        result = engine.generate("x", grammar='root ::= "ab"', ignore_eos=True, n_predict=9)
        assert (result.text, result.finish_reason) == ("ab", FinishReason.EOG)


@pytest.mark.parametrize("prompt", [None, 5, {"role": "user", "content": "x"}, object()])
def test_what_is_no_prompt_is_refused(tiny_model: Model, prompt: object) -> None:
    with Engine(tiny_model) as engine, pytest.raises(InvalidRequest):
        engine.generate(prompt)


def test_too_many_stop_strings_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="stop"):
        llamabox.GenerationParams(stop=tuple(f"stop {i}" for i in range(257)))


def test_a_queue_refuses_nobody_while_slots_are_idle(tiny_model: Model) -> None:
    params = EngineParams(n_ctx=100_000, n_parallel=8, n_queue=1, n_threads=1)
    with Engine(tiny_model, params) as engine:
        first = engine.stream(list(range(256)) * 200, LONG)
        others = [engine.stream("x", LONG) for _ in range(6)]
        for stream in (first, *others):
            stream.cancel()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_is_refused(tiny_model: Model) -> None:
    with Engine(tiny_model) as engine:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                engine.generate("x", n_predict=1)
            except EngineClosed:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert engine.generate("x", n_predict=1).n_output == 1
