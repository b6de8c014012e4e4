"""A gate that closes only when everybody is out."""

from __future__ import annotations

import threading

from ..errors import EngineClosed


class Gate:
    """Keeps what threads work on from being freed under them: ``with gate:`` is to pass it.

    To pass it raises `EngineClosed` once it is closed, or closing.
    """

    def __init__(self) -> None:
        # An engine's finalizer closes its gate, within any bytecode of any thread.
        self._lock = threading.RLock()
        self._left = threading.Condition(self._lock)
        self._inside: list[int] = []  # thread ids
        self._is_closed = False

    def __enter__(self) -> None:
        with self._lock:
            self._inside.append(threading.get_ident())
        if self._is_closed:
            self.__exit__()
            raise EngineClosed("the engine is closed")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside.remove(threading.get_ident())
            if self._is_closed:
                self._left.notify_all()

    @property
    def is_passed_by_caller(self) -> bool:
        """Whether this thread is inside, so that it would wait for itself if it closed the gate."""
        return threading.get_ident() in self._inside

    def close(self) -> None:
        """Let nobody in any more, and wait until everybody is out."""
        with self._lock:
            self._is_closed = True
            self._left.wait_for(lambda: not self._inside)
