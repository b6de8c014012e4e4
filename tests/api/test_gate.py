"""The gate that keeps what threads work on from being freed."""

from __future__ import annotations

import threading
import time

import pytest

from llamabox import EngineClosed
from llamabox.api.gate import Gate

HANG = 30


def test_it_closes_when_everybody_is_out() -> None:
    gate = Gate()
    is_inside, may_leave, has_closed = threading.Event(), threading.Event(), threading.Event()

    def stay() -> None:
        with gate:
            is_inside.set()
            may_leave.wait(HANG)

    def close() -> None:
        gate.close()
        has_closed.set()

    threads = [threading.Thread(target=stay), threading.Thread(target=close)]
    threads[0].start()
    assert is_inside.wait(HANG)
    threads[1].start()
    while threads[1].is_alive() and not gate._is_closed:
        time.sleep(0.001)
    for _ in range(2):
        with pytest.raises(EngineClosed), gate:
            raise AssertionError
    assert not has_closed.is_set()
    may_leave.set()
    assert has_closed.wait(HANG), "those who were refused are not waited for"
    for thread in threads:
        thread.join()


def test_it_is_passed_again_by_the_same_thread() -> None:
    gate = Gate()
    with gate:
        with gate:
            assert gate.is_passed_by_caller
        assert gate.is_passed_by_caller
    assert not gate.is_passed_by_caller
    gate.close()
