from libc.stdint cimport int64_t

from .context cimport Context
from .request cimport RequestC
from .slots cimport Slots


cdef class Turns:
    cdef readonly Context context
    cdef readonly Slots slots
    cdef readonly bint has_adapters
    cdef readonly int64_t n_turns     # times that llama.cpp got another set
    cdef int64_t key                  # of the set that llama.cpp has
    cdef int64_t t_end                # nanoseconds; when others may have their turn

    cdef void choose(self, int64_t now) noexcept nogil
    cdef int64_t next_key(self, int64_t now) noexcept nogil
    cdef void apply(self, int64_t now) noexcept nogil
    cdef void check(self) noexcept nogil


cdef int64_t set_key(const RequestC* request) noexcept nogil
