"""A request refuses prompts that would reach outside the vocabulary, and keeps what it is given."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from tests.core.running import CANCELLED, GREEDY, LENGTH, Core, LoadedModel, eventually


@pytest.fixture(name="core")
def idle_core(tiny: LoadedModel) -> Iterator[Core]:
    with Core(tiny) as core:
        yield core


def test_an_empty_prompt_is_refused(core: Core) -> None:
    with pytest.raises(ValueError, match="no tokens"):
        core.request([])


@pytest.mark.parametrize("token", [-1, 512, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("i", [0, 1, 4])
def test_a_token_outside_the_vocabulary_is_refused_by_its_number(
    core: Core, i: int, token: int
) -> None:
    prompt = [1, 2, 3, 4, 5]
    prompt[i] = token
    with pytest.raises(ValueError, match=f"token {token} is not in a vocabulary of 512"):
        core.request(prompt)


def test_the_prompt_is_copied(core: Core) -> None:
    prompt = np.arange(50, dtype=np.int32)
    expected = core.run(list(range(50))).tokens
    request = core.request([0])
    del request
    result = core.submit(prompt)
    prompt[:] = 0
    core.wait()
    assert result.tokens == expected


def test_a_new_request_has_neither_output_nor_times(core: Core) -> None:
    request = core.request([1, 2, 3])
    assert (request.n_prompt, request.n_output, request.n_cached, request.finish) == (3, 0, 0, 0)
    assert request.output_tokens() == []
    assert request.times == (0, 0, 0, 0)
    assert request.i_stop == -1


def test_the_times_of_a_request_are_in_their_order(core: Core) -> None:
    result = core.run(range(100), 8, params=GREEDY.replace(ignore_eos=True))
    submitted, admitted, first, last = result.request.times
    assert 0 < submitted <= admitted <= first <= last
    assert result.finish == LENGTH


def test_a_request_that_is_cancelled_before_it_is_submitted_ends_cancelled(core: Core) -> None:
    request = core.request([1, 2, 3])
    request.cancel()
    request.cancel()
    assert core.scheduler.submit(request)
    (event,) = wait_for_events(core)
    assert event == (request, b"", [], CANCELLED, None, None)


def test_the_garbage_collector_frees_a_request_and_its_sampler(core: Core) -> None:
    """Whichever it comes to first: a consumer that knows its request makes a cycle of them."""
    hot = GREEDY.replace(temperature=1.0, repeat_penalty=1.1)
    for _ in range(200):
        core.submit([1, 2, 3], 1, params=hot)
    core.wait()
    references = [weakref.ref(result) for result in core.results]
    core.results.clear()
    gc.collect()
    assert not any(reference() for reference in references)


def wait_for_events(core: Core) -> list[tuple[object, ...]]:
    events: list[tuple[object, ...]] = []

    def has_come() -> bool:
        events.extend(core.outbox.drain())
        return bool(events)

    eventually(has_come, "an event comes")
    return events
