"""Cancelling and closing end a request at the next step boundary, wherever it is."""

from __future__ import annotations

import threading

import numpy as np

from tests.core.faults import Gated
from tests.core.running import CANCELLED, GREEDY, HANG, Core, LoadedModel, eventually

ENDLESS = GREEDY.replace(ignore_eos=True)


def test_a_queued_request_leaves_at_once_without_a_slot(tiny: LoadedModel) -> None:
    gate = Gated()
    with Core(tiny, n_parallel=1, decoder=gate) as core:
        running = core.submit([1, 2, 3], 20, params=ENDLESS)
        gate.entered.wait()
        queued = [core.submit([i], 5, params=ENDLESS) for i in range(3)]
        queued[1].request.cancel()
        gate.step()
        gate.step()
        core.wait(queued[1])
        assert queued[1].finish == CANCELLED
        assert queued[1].request.times[1] == 0, "it was admitted"
        assert not running.finish
        gate.open()
        core.wait()
        assert [result.request.n_output for result in core.results] == [20, 5, 0, 5]


def test_a_prefilling_request_stops_before_its_prompt_is_computed(tiny: LoadedModel) -> None:
    gate = Gated()
    with Core(tiny, n_batch=32, n_ubatch=32, decoder=gate) as core:
        result = core.submit(range(300), 5)
        gate.entered.wait()
        gate.step()
        gate.entered.wait()
        result.request.cancel()
        gate.open()
        core.wait()
        assert (result.finish, result.request.n_output, result.text) == (CANCELLED, 0, b"")
        assert core.stats()["n_prompt_tokens"] == core.checked_cells() == 64


def test_a_decoding_request_stops_after_the_step_that_runs(tiny: LoadedModel) -> None:
    gate = Gated()
    with Core(tiny, decoder=gate) as core:
        result = core.submit([1, 2, 3], -1, params=ENDLESS)
        for _ in range(5):
            gate.step()
        gate.entered.wait()
        result.request.cancel()
        gate.open()
        core.wait()
        assert result.finish == CANCELLED
        assert result.request.n_output == 6
        assert result.text == tiny.vocab.detokenize(np.array(result.tokens, np.int32))


def test_cancelling_what_has_ended_changes_nothing(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        result = core.run([1, 2], 3, params=ENDLESS)
        finish = result.finish
        result.request.cancel()
        core.run([4, 5])
        assert result.request.finish == finish
        assert core.stats()["n_requests"]["cancelled"] == 0


def test_closing_cancels_what_runs_and_what_waits(tiny: LoadedModel) -> None:
    gate = Gated()
    with Core(tiny, n_parallel=2, decoder=gate) as core:
        results = [core.submit(range(1, 30 + i), -1, params=ENDLESS) for i in range(6)]
        gate.step()
        gate.entered.wait()
        core.scheduler.close()
        gate.open()
        core.wait()
        assert [result.finish for result in results] == [CANCELLED] * 6


def test_nothing_is_taken_after_closing(tiny: LoadedModel) -> None:
    with Core(tiny) as core:
        core.close()
        core.scheduler.close()
        assert not core.scheduler.submit(core.request([1, 2, 3]))
        assert core.outbox.drain() == []


def test_what_is_submitted_while_another_thread_closes_ends_or_is_refused(
    tiny: LoadedModel,
) -> None:
    for i in range(150):
        with Core(tiny, n_ctx=256) as core:
            accepted = []
            requests = [core.request([1, 2, 3], 2) for _ in range(20)]
            barrier = threading.Barrier(2)

            def submit_all() -> None:
                barrier.wait()  # noqa: B023
                accepted.extend(r for r in requests if core.scheduler.submit(r))  # noqa: B023

            thread = threading.Thread(target=submit_all)
            thread.start()
            barrier.wait()
            if i % 3:
                eventually(lambda: bool(accepted) or not thread.is_alive(), "some are in")  # noqa: B023
            core.close()
            thread.join(HANG)
            finished = [request for request, _, _, finish, *_ in core.outbox.drain() if finish]
            assert len(finished) == len(accepted)
