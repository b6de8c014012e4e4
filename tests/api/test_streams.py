"""Leaving a generation early, in every way there is, ends its request and frees what it held."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llamabox import Completion, Engine, EngineParams, FinishReason, Model
from llamabox.api import AsyncStream, Chunk
from tests.api.conftest import ENDLESS
from tests.core.running import eventually

LONG = ENDLESS.replace(n_predict=-1)


@pytest.fixture(name="engine")
def roomy_engine(tiny_model: Model) -> Iterator[Engine]:
    """With room for outputs that take a while."""
    params = EngineParams(n_ctx=16_384, n_parallel=4, n_batch=256, n_ubatch=64, n_threads=1)
    with Engine(tiny_model, params) as engine:
        yield engine


def cancelled(engine: Engine) -> int:
    return engine.stats().n_requests["cancelled"]


def assert_cancels(engine: Engine, n: int = 1) -> None:
    eventually(lambda: cancelled(engine) == n, "the request is cancelled")
    eventually(lambda: engine.stats().n_running == 0, "its slot is free")


def test_leaving_the_with_block_cancels(engine: Engine) -> None:
    with engine.stream("hello", LONG) as stream:
        next(stream)
    assert_cancels(engine)


def test_closing_a_stream_cancels_and_the_rest_can_still_be_read(engine: Engine) -> None:
    stream = engine.stream("hello", LONG)
    next(stream)
    stream.close()
    assert list(stream)[-1].finish_reason is FinishReason.CANCELLED
    assert stream.result is not None
    assert stream.result.n_output > 0


def test_dropping_a_stream_cancels(engine: Engine) -> None:
    stream = engine.stream("hello", LONG)
    next(stream)
    del stream
    gc.collect()
    assert_cancels(engine)


def test_cancelling_from_another_thread_ends_the_wait(engine: Engine) -> None:
    stream = engine.stream("hello", LONG)
    next(stream)

    async def cancel() -> None:
        await asyncio.to_thread(stream.cancel)

    asyncio.run(cancel())
    assert stream.completion().finish_reason is FinishReason.CANCELLED


def test_leaving_the_async_with_block_cancels(engine: Engine) -> None:
    async def run() -> None:
        async with await engine.astream("hello", LONG) as stream:
            await anext(stream)

    asyncio.run(run())
    assert_cancels(engine)


def test_cancelling_a_task_cancels_its_request(engine: Engine) -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(engine.agenerate("hello", LONG)) for _ in range(3)]
        await asyncio.to_thread(eventually, lambda: engine.stats().n_running == 3, "all run")
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)

    asyncio.run(run())
    assert_cancels(engine, 3)


def test_a_second_task_that_waits_is_refused_and_costs_the_first_nothing(engine: Engine) -> None:
    async def run() -> Completion:
        stream = await engine.astream("hello", ENDLESS, n_predict=200)
        first = asyncio.create_task(stream.completion())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task waits"):
            await stream.completion()
        return await first

    completion = asyncio.run(run())
    assert (completion.n_output, completion.finish_reason) == (200, FinishReason.LENGTH)


def test_a_loop_that_ends_with_running_streams_leaves_the_engine_usable(engine: Engine) -> None:
    async def run() -> None:
        stream = await engine.astream("hello", LONG)
        await anext(stream)

    for _ in range(5):
        asyncio.run(run())
    gc.collect()
    assert engine.generate("hello", ENDLESS).finish_reason is FinishReason.LENGTH
    assert_cancels(engine, 5)


def test_streams_however_they_end_leave_no_fds_and_no_threads(engine: Engine) -> None:
    async def awaited() -> None:
        await engine.agenerate("hello", ENDLESS)
        (await engine.astream("hello", LONG)).cancel()

    def use() -> None:
        for _ in range(10):
            engine.generate("hello", ENDLESS)
            engine.stream("hello", LONG)
            with engine.stream("hello", LONG) as stream:
                next(stream)
            asyncio.run(awaited())
        eventually(lambda: engine.stats().n_running == 0, "all has ended")
        del stream
        gc.collect()
        engine.generate("hello", ENDLESS)

    process = psutil.Process()
    use()
    before = process.num_fds(), process.num_threads()
    for _ in range(3):
        use()
    assert (process.num_fds(), process.num_threads()) == before


def test_who_awaits_a_whole_output_is_woken_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Chunk] = []
    take = AsyncStream.take_chunk
    monkeypatch.setattr(AsyncStream, "take_chunk", lambda stream: taken.append(take(stream)))
    params = ENDLESS.replace(n_predict=200, temperature=0.0)

    async def halves() -> Completion:
        stream = await engine.astream("Once upon a time", params)
        async for _ in stream:
            break
        taken.clear()
        return await stream.completion()

    expected = engine.generate("Once upon a time", params)
    completion = asyncio.run(engine.agenerate("Once upon a time", params))
    assert (completion.text, completion.tokens) == (expected.text, expected.tokens)
    assert [chunk.n_tokens for chunk in taken] == [200]
    assert asyncio.run(halves()).text == expected.text
    assert len(taken) <= 2


def test_an_unread_stream_does_not_hold_up_the_others(engine: Engine) -> None:
    unread = engine.stream("hello", LONG)
    assert engine.generate("other", ENDLESS).n_output == 32
    unread.cancel()


@contextlib.contextmanager
def script(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process that does not outlive the `with` block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


RUNNING = """
import signal, sys, llamabox
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
params = llamabox.EngineParams(n_ctx=200_000, n_threads=1, n_parallel=2)
engine = llamabox.Engine(sys.argv[1], params)
stream = engine.stream("hello", temperature=0, ignore_eos=True)
next(stream)
print("running", flush=True)
"""


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "other = engine.stream('x'); del engine"])
def test_the_interpreter_exits_with_an_engine_running(tiny_path: Path, ending: str) -> None:
    with script(RUNNING + ending, tiny_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "running\n", "")


def test_an_interrupt_ends_a_blocking_wait_and_cancels(tiny_path: Path) -> None:
    code = (
        RUNNING
        + """
try:
    stream.completion()
except KeyboardInterrupt:
    while not engine.stats().n_requests["cancelled"]:
        pass
    print("cancelled", flush=True)
"""
    )
    with script(code, tiny_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "cancelled\n", "")
