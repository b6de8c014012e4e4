"""What a step costs its consumers: one notification, and no Python object for a prompt token."""

from __future__ import annotations

import gc
import os
import select
import sys

import numpy as np

from llamabox._core.outbox import Outbox
from tests.core.faults import Gated
from tests.core.running import GREEDY, Core, LoadedModel, eventually

ENDLESS = GREEDY.replace(ignore_eos=True)


def is_readable(outbox: Outbox) -> bool:
    return bool(select.select([outbox.fd], [], [], 0)[0])


def test_sixteen_requests_of_one_outbox_notify_it_once_a_step_at_most(tiny: LoadedModel) -> None:
    with Core(tiny, n_parallel=16) as core:
        for i in range(16):
            core.submit([i, 7], 30, params=ENDLESS)
        core.wait()
        stats = core.stats()
    assert 0 < stats["n_wakeups"] <= stats["n_steps"]
    assert sum(result.n_events for result in core.results) > 3 * stats["n_steps"]


def test_two_outboxes_are_each_notified_of_their_own(tiny: LoadedModel) -> None:
    gate, other = Gated(), Outbox()
    with Core(tiny, decoder=gate) as core:
        mine = core.submit([1], 2, params=ENDLESS)
        theirs = core.request([2], 2, params=ENDLESS, outbox=other)
        assert core.scheduler.submit(theirs)
        gate.open()
        core.wait(mine)
        eventually(lambda: theirs.finish != 0, "the other outbox's request ends")
        select.select([other.fd], [], [])
        assert {request for request, *_ in other.drain()} == {theirs}
    assert mine.n_tokens == 2


def test_an_outbox_is_readable_while_it_holds_something_only(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        assert not is_readable(core.outbox)
        result = core.submit([1, 2], 3, params=ENDLESS)
        core.stats()
        assert is_readable(core.outbox)
        core.drain()
        assert result.n_tokens == 3
        assert not is_readable(core.outbox)
        assert core.outbox.drain() == []


def test_a_slow_reader_gets_its_tokens_in_one_drain_and_one_notification(
    tiny: LoadedModel,
) -> None:
    with Core(tiny) as core:
        result = core.submit([1, 2, 3], 40, params=ENDLESS)
        stats = core.stats()
        assert stats["n_wakeups"] == 1
        core.drain()
        assert result.n_tokens == 40
        assert result.text == tiny.vocab.detokenize(np.array(result.tokens, np.int32))


def test_a_prompt_token_makes_no_python_object(tiny: LoadedModel) -> None:
    def blocks_for(n: int) -> int:
        prompt = np.ones(n, np.int32)
        before = sys.getallocatedblocks()
        request = core.request(prompt, 0)
        assert core.scheduler.submit(request)
        core.scheduler.stats()
        made = sys.getallocatedblocks() - before
        request.cancel()
        eventually(lambda: request.finish != 0, "the request ends")
        core.outbox.drain()
        return made

    gc.disable()
    try:
        with Core(tiny, n_ctx=32_768) as core:
            blocks_for(10)
            assert abs(blocks_for(30_000) - blocks_for(1_000)) < 50
    finally:
        gc.enable()


def run_with_own_outbox(core: Core) -> int:
    """Run a request to its end; returns the fd of the outbox that only this function knew."""
    outbox = Outbox()
    request = core.request([1, 2, 3], 3, outbox=outbox)
    assert core.scheduler.submit(request)
    eventually(lambda: bool(request.finish) and is_readable(outbox), "it ends")
    assert outbox.drain()
    return outbox.fd


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_drained_request_frees_its_outbox_without_the_garbage_collector(
    tiny: LoadedModel,
) -> None:
    gc.disable()
    try:
        with Core(tiny) as core:
            fd = run_with_own_outbox(core)
            eventually(lambda: not core.scheduler.stats()["n_running"], "the scheduler is idle")
            assert not is_open(fd)
    finally:
        gc.enable()
