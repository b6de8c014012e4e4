from libc.stdint cimport int32_t, int64_t

from .drafter cimport Drafter
from .lengths cimport Lengths, OfferC
from .plan cimport Plan
from .request cimport RequestC
from .slots cimport SlotC, Slots
from .stats cimport StatsC


cdef class Speculation:
    cdef readonly Slots slots
    cdef readonly Drafter drafter
    cdef readonly Lengths lengths
    cdef readonly int32_t n_rows        # of drafts in a step at most; 0: there are none
    cdef readonly int32_t ngram_min     # 0: no lookup
    cdef int32_t n_model_rows           # of this step's drafts by a model
    cdef int32_t n_model_tokens         # of them that were accepted
    cdef readonly int64_t draft_ns      # that drafting took in this step
    cdef OfferC* offers                 # [n_slots]: of this step
    cdef int32_t n_offers
    cdef int32_t n_decode               # slots that decode in this step
    cdef int32_t n_to_index             # tokens of prompts that may still be indexed in this step
    cdef StatsC* counters               # the scheduler's
    cdef bint is_paused                 # no drafts in this step

    cdef void draft(self, int64_t spare_ns) noexcept nogil
    cdef void gather(self) noexcept nogil
    cdef int32_t n_indexable(self) noexcept nogil
    cdef void index(self, RequestC* request) noexcept nogil
    cdef void offer(self, int32_t i_slot) noexcept nogil
    cdef void take(self, const OfferC* offer) noexcept nogil
    cdef void drop_short(self) noexcept nogil
    cdef void count_failures(self) noexcept nogil
    cdef void pause(self) noexcept nogil
    cdef void count(self, SlotC* slot, int32_t n_draft) noexcept nogil
    cdef int64_t learn(self, Plan plan, int64_t elapsed) noexcept nogil
    cdef void settle_model(self, Plan plan, double extra_ns, int64_t elapsed) noexcept nogil
    cdef void follow(self) noexcept nogil
    cdef void leave(self, int32_t i_slot) noexcept nogil
    cdef void check(self) noexcept nogil
