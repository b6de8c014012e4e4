"""llama.cpp's log without what the step threads have to say at debug level.

llama.cpp has one log callback for the process, and llama-cpp-python's is Python code, so that each
line costs the thread that logs it the GIL. A forward that completes a context shift logs a dozen.
"""
from libc.stdint cimport uintptr_t

cdef extern from "quiet.h":
    int thread_is_quiet

cdef enum:
    # GGML_LOG_LEVEL_*
    LEVEL_DEBUG = 1
    LEVEL_CONTINUED = 5

ctypedef void (*Callback)(int level, const char* text, void* data) noexcept nogil

cdef Callback next_callback = NULL
cdef void* next_data = NULL


cdef void set_quiet(bint is_quiet) noexcept nogil:
    """Whether debug lines of the calling thread are dropped."""
    global thread_is_quiet
    thread_is_quiet = is_quiet


cdef void log(int level, const char* text, void* data) noexcept nogil:
    if thread_is_quiet and (level == LEVEL_DEBUG or level == LEVEL_CONTINUED):
        return
    next_callback(level, text, next_data)


def filtered(uintptr_t callback, uintptr_t data):
    """Address of a log callback that hands all other lines to `callback`.

    :param callback: address of a `ggml_log_callback`, never freed.
    :param data: what is handed to it.
    """
    global next_callback, next_data
    if callback != <uintptr_t> &log:
        next_callback = <Callback> callback
        next_data = <void*> data
    return <uintptr_t> &log
