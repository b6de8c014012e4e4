from libc.stdint cimport int32_t, int64_t

from .drafter cimport Drafter
from .slots cimport SlotC, Slots
from .stats cimport StatsC


cdef class Speculation:
    cdef readonly Slots slots
    cdef readonly Drafter drafter
    cdef readonly int32_t n_rows        # of drafts in a step at most
    cdef readonly int64_t draft_ns      # that drafting took in this step
    cdef StatsC* counters               # the scheduler's
    cdef bint is_paused                 # no drafts in the next step

    cdef void draft(self, int64_t spare_ns) noexcept nogil
    cdef void want(self) noexcept nogil
    cdef void drop_short(self) noexcept nogil
    cdef void pause(self) noexcept nogil
    cdef void count(self, SlotC* slot, int32_t n_draft) noexcept nogil
    cdef void follow(self) noexcept nogil
    cdef void leave(self, int32_t i_slot) noexcept nogil
    cdef void check(self) noexcept nogil
