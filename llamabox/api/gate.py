"""A gate that closes only when everybody is out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from ..errors import EngineClosed


class Gate:
    """Keeps what threads work on from being freed under them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: list[int] = []  # thread ids
        self._is_closed = False

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        """:raises EngineClosed: the gate is closed, or closing."""
        caller = threading.get_ident()
        with self._changed:
            self._inside.append(caller)
        try:
            if self._is_closed:
                raise EngineClosed("the engine is closed")
            yield
        finally:
            with self._changed:
                self._inside.remove(caller)
                self._changed.notify_all()

    @property
    def is_passed_by_caller(self) -> bool:
        """Whether this thread is inside, so that it would wait for itself if it closed the gate."""
        return threading.get_ident() in self._inside

    def close(self) -> None:
        """Let nobody in any more, and wait until everybody is out."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._inside)
