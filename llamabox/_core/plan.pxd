from libc.stdint cimport int32_t, int64_t

from .slots cimport SlotC, Slots


cdef class Plan:
    cdef readonly Slots slots
    cdef readonly int32_t n_batch
    cdef readonly int32_t n_ubatch
    cdef readonly int32_t n_chunk
    cdef readonly int64_t target_ns
    cdef readonly bint needs_equal_rows
    cdef readonly bint is_windowed
    cdef readonly int32_t n_decode       # rows of the step that was planned last
    cdef readonly int32_t n_draft        # those of `n_decode`'s slots that verify drafts, beside it
    cdef readonly int32_t n_prefill
    cdef readonly int32_t n_held         # slots that would decode if they might put something out
    cdef readonly double decode_ns       # of a step that only decodes, smoothed
    cdef readonly double prefill_row_ns  # of a prompt's row, smoothed

    cdef bint choose(self, int64_t n_available) noexcept nogil
    cdef int32_t n_undecided(self) noexcept nogil
    cdef void share_drafts(self, int64_t n_room) noexcept nogil
    cdef void drop_drafts(self) noexcept nogil
    cdef bint is_one_computation(self) noexcept nogil
    cdef bint are_whole(self) noexcept nogil
    cdef bint are_equal(self, int32_t n_least) noexcept nogil
    cdef double spare_ns(self) noexcept nogil
    cdef int64_t expected_ns(self) noexcept nogil
    cdef int32_t prefill_budget(self) noexcept nogil
    cdef void share_out(self, int32_t budget) noexcept nogil
    cdef int32_t next_prompt(self) noexcept nogil
    cdef void observe(self, int64_t elapsed) noexcept nogil


cdef int32_t n_usable(const SlotC* slot) noexcept nogil
