"""The loaded llama.cpp, checked when this module is imported."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator

import llama_cpp

from .._core.lib import Library

LIBRARY = Library(llama_cpp)
"""The function table.

:raises IncompatibleLibrary: importing this, if the installed llama-cpp-python does not fit.
"""

LOG_LEVEL_ERROR = 4
"""``GGML_LOG_LEVEL_ERROR``."""

_log_lock = threading.RLock()
_captured: list[str] = []


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _collect(level: int, text: bytes, _: object) -> None:
    """The process's log callback meanwhile; it outlives any thread that is inside it."""
    if level == LOG_LEVEL_ERROR:
        _captured.append(text.decode("utf-8", "replace").strip())


@contextlib.contextmanager
def captured_errors() -> Iterator[list[str]]:
    """The error lines that llama.cpp logs meanwhile; nothing of its log is printed.

    llama.cpp has one log callback for the process; it is put back afterwards.
    """
    callback, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    with _log_lock:
        _captured.clear()
        llama_cpp.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
        llama_cpp.llama_log_set(_collect, None)
        try:
            yield _captured
        finally:
            llama_cpp.llama_log_set(callback, data)
