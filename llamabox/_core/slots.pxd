from libc.stdint cimport int32_t, int64_t

from .llama cimport llama_token
from .request cimport RequestC


cdef struct SlotC:
    RequestC* request     # the live request, or NULL: idle
    int32_t n_cells       # its sequence holds the positions [0, n_cells)
    int32_t n_planned     # rows that the current batch adds
    llama_token* parked   # while idle, what the cells hold [n_cells]
    int64_t parked_at     # order of parking


cdef class Slots:
    cdef SlotC* slots
    cdef readonly int32_t n_slots
    cdef readonly int32_t n_cells
    cdef readonly int32_t n_live
    cdef int32_t n_used
    cdef int32_t n_parked
    cdef int64_t n_parkings
    cdef int32_t acquire(self, RequestC* request, int32_t* n_prefix) noexcept nogil
    cdef void occupy(self, int32_t i, RequestC* request, int32_t n_cells) noexcept nogil
    cdef void grow(self, int32_t i, int32_t n) noexcept nogil
    cdef void vacate(self, int32_t i, int32_t n_parked) noexcept nogil
    cdef void forget(self, int32_t i) noexcept nogil
    cdef int32_t oldest_parked(self) noexcept nogil
    cdef int32_t newest_live(self) noexcept nogil
    cdef int32_t n_free(self) noexcept nogil
    cdef int32_t n_available(self) noexcept nogil
