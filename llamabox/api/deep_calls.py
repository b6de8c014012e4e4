"""Calls into libraries that recurse deeper than a thread's usual stack bears."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["with_deep_stack"]

Result = TypeVar("Result")

STACK_BYTES = 512 << 20
"""Of addresses; memory is taken as far as it is used."""

_lock = threading.Lock()


def with_deep_stack(call: Callable[[], Result]) -> Result:
    """`call()`, on a thread of its own; raises what that does."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    with _lock:
        usual = threading.stack_size(STACK_BYTES)
        try:
            thread = threading.Thread(target=run, name="llamabox-deep-call", daemon=True)
            thread.start()
        finally:
            threading.stack_size(usual)
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
