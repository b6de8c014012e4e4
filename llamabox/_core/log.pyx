"""llama.cpp's log, without what a step thread would say in passing.

Building graphs anew logs dozens of lines, and a callback of Python's would take the GIL for each.
"""
import ctypes

from libc.stdint cimport uintptr_t
from libc.stdlib cimport malloc

cdef enum LevelC:
    LEVEL_WARN = 3      # GGML_LOG_LEVEL_WARN
    LEVEL_ERROR = 4

cdef extern from *:
    """
    static __thread int llamabox_is_quiet;
    """
    bint is_quiet "llamabox_is_quiet"

ctypedef void (*LogC)(int level, const char* text, void* data) noexcept nogil

cdef struct SinkC:
    LogC callback
    void* data


cdef void keep_quiet() noexcept nogil:
    """Drop what the calling thread logs below a warning, from now on."""
    global is_quiet
    is_quiet = True


cdef void pass_on(int level, const char* text, void* data) noexcept nogil:
    cdef SinkC* sink = <SinkC*> data
    if not is_quiet or level == LEVEL_WARN or level == LEVEL_ERROR:
        sink.callback(level, text, sink.data)


def filter_log(binding):
    """Stand between llama.cpp and its log callback, for the life of the process.

    :param binding: the module `llama_cpp`.
    """
    callback, data = binding.llama_log_callback(), ctypes.c_void_p()
    binding.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
    address = ctypes.cast(callback, ctypes.c_void_p).value
    if not address or address == <uintptr_t> &pass_on:
        return
    cdef SinkC* sink = <SinkC*> malloc(sizeof(SinkC))
    if sink == NULL:
        raise MemoryError
    sink.callback = <LogC> <uintptr_t> address
    sink.data = <void*> <uintptr_t> (data.value or 0)
    binding.llama_log_set(binding.llama_log_callback(<uintptr_t> &pass_on), <uintptr_t> sink)
