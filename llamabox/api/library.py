"""The loaded llama.cpp, checked when this module is imported."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import threading
from collections.abc import Iterator

import llama_cpp

from .._core.lib import Library
from .._core.log import filter_log

LIBRARY = Library(llama_cpp)
"""The function table.

:raises IncompatibleLibrary: importing this, if the installed llama-cpp-python does not fit.
"""

filter_log(llama_cpp)

LOG_LEVEL_ERROR = 4
"""``GGML_LOG_LEVEL_ERROR``."""

logger = logging.getLogger("llamabox.llama")

_log_lock = threading.RLock()
_errors: list[str] = []


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _: object) -> None:
    """The process's log callback meanwhile; it outlives any thread that is inside it."""
    line = text.decode("utf-8", "replace").strip()
    if level == LOG_LEVEL_ERROR:
        _errors.append(line)
    if line.strip("."):  # llama.cpp draws its progress with dots
        logger.debug("%s", line)


@contextlib.contextmanager
def captured_errors() -> Iterator[list[str]]:
    """A list that holds, after the `with` block, the error lines that llama.cpp logged in it.

    All of its log goes to the logger `llamabox.llama` at debug level, and is not printed.
    llama.cpp has one log callback for the process; it is put back afterwards.
    """
    lines: list[str] = []
    callback, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    with _log_lock:
        _errors.clear()
        llama_cpp.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
        llama_cpp.llama_log_set(_log, None)
        try:
            yield lines
        finally:
            llama_cpp.llama_log_set(callback, data)
            lines += _errors
