"""Stand-ins for the `llama_cpp` module whose `llama_decode` a test sees and decides."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import llama_cpp

Row = tuple[int, int, int, bool]
"""Token, position, sequence, whether it is an output row."""
Decode = Callable[[int, Any], int]

DECODE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, llama_cpp.llama_batch)


def with_decode(decode: Decode) -> SimpleNamespace:
    """llama_cpp with another `llama_decode`, called on the step thread."""
    return SimpleNamespace(**{**vars(llama_cpp), "llama_decode": DECODE(decode)})


def rows_of(batch: Any) -> list[Row]:
    return [
        (batch.token[i], batch.pos[i], batch.seq_id[i][0], bool(batch.logits[i]))
        for i in range(batch.n_tokens)
    ]


class Decoder:
    """What stands in for `llama_decode`; this one computes as ever."""

    def __init__(self) -> None:
        self.binding = with_decode(self.decode)

    def decode(self, context: int, batch: Any) -> int:
        return int(llama_cpp.llama_decode(context, batch))

    def open(self) -> None:
        """Hold nobody back any more."""


class Failing(Decoder):
    """Returns `code` instead of computing, at the calls in `at` (counted from 0).

    :ivar ready: calls wait while it is cleared.
    """

    def __init__(self, code: int, at: set[int]) -> None:
        super().__init__()
        self.n_calls = 0
        self.failed: list[set[int]] = []
        """Sequences in the batch of each failure."""
        self.ready = threading.Event()
        self.ready.set()
        self._code, self._at = code, at

    def open(self) -> None:
        self.ready.set()

    def decode(self, context: int, batch: Any) -> int:
        self.ready.wait()
        self.n_calls += 1
        if self.n_calls - 1 in self._at:
            self.failed.append({sequence for _, _, sequence, _ in rows_of(batch)})
            return self._code
        return super().decode(context, batch)


class Gated(Decoder):
    """Holds the step thread in every forward until `open`, and keeps the rows of every batch.

    :ivar entered: set when a forward has begun.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.batches: list[list[Row]] = []
        self._gate = threading.Semaphore(0)
        self._is_open = threading.Event()

    def step(self) -> None:
        """Let one forward through."""
        self.entered.wait()
        self.entered.clear()
        self._gate.release()

    def open(self) -> None:
        """Let every forward through from now on."""
        self._is_open.set()
        self._gate.release()

    def decode(self, context: int, batch: Any) -> int:
        self.batches.append(rows_of(batch))
        if not self._is_open.is_set():
            self.entered.set()
            self._gate.acquire()
        return super().decode(context, batch)
