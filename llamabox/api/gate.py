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
        self._n_inside = 0
        self._is_closed = False

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        """:raises EngineClosed: the gate is closed, or closing."""
        with self._changed:
            if self._is_closed:
                raise EngineClosed("the engine is closed")
            self._n_inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more, and wait until everybody is out."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._n_inside == 0)
