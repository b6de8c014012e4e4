from libc.stdint cimport int32_t, int64_t

from .request cimport RequestC
from .slots cimport Slots


cdef class Drafter:
    cdef readonly double depth_ns     # of a token more for each slot that drafts, smoothed
    cdef int32_t n_unwanted           # steps since a draft was worth its cost

    cdef void draft(self, Slots slots, int64_t spare_ns) noexcept nogil
    cdef void follow(self, Slots slots) noexcept nogil
    cdef void leave(self, int32_t i_slot, const RequestC* request) noexcept nogil
    cdef void check(self, Slots slots) noexcept nogil
