from libc.stdint cimport int32_t, int64_t

from .llama cimport llama_token
from .request cimport RequestC


cdef struct SlotC:
    RequestC* request     # NULL: idle
    int32_t i_sequence    # -1 while the request waits for another to compute its prefix
    int32_t i_leader      # the slot of that other one
    int64_t leader        # and its request's `arrival`
    int32_t n_wanted      # tokens to draft for it; 0 once it has a draft, or where none is worth it
    bint waits_turn       # the step is another set's of adapters
    int32_t n_planned     # rows that the current batch adds
    int32_t n_passed      # steps in which it got no rows that it could have had
    int32_t n_accepted    # tokens of its draft that its output rows gave in this step
    int32_t n_verified    # its output rows up to where the request ended, if it did
    llama_token token     # what the row behind those gave; -1: nothing that may be


cdef class Slots:
    cdef SlotC* slots
    cdef readonly int32_t n_slots
    cdef readonly int32_t n_live
    cdef int64_t n_changes        # times that a slot was occupied or vacated, or gave up cells
    cdef int32_t* arranged        # slots with planned rows, in their order in the batch
    cdef int32_t n_arranged
    cdef int32_t idle(self) noexcept nogil
    cdef int32_t idle_for(self, const RequestC* request) noexcept nogil
    cdef void occupy(self, int32_t i, RequestC* request) noexcept nogil
    cdef void vacate(self, int32_t i) noexcept nogil
    cdef void arrange(self) noexcept nogil
    cdef int32_t last_ranked(self) noexcept nogil
    cdef bint has_ready(self) noexcept nogil
    cdef int32_t n_unready(self) noexcept nogil
    cdef bint has_decoding(self) noexcept nogil
    cdef int64_t n_expected(self) noexcept nogil


cdef bint is_ready(const SlotC* slot) noexcept nogil
cdef bint is_decoding(const SlotC* slot) noexcept nogil
cdef int64_t n_expected(const RequestC* request) noexcept nogil
