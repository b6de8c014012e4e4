from libc.stdint cimport int32_t, int64_t

from .request cimport RequestC
from .slots cimport Slots


cdef struct ClaimC:
    int64_t turn
    int64_t arrival
    int32_t i_slot


cdef class Throttle:
    cdef readonly Slots slots
    cdef readonly int32_t n_throttled  # decoding slots that get nothing in this step
    cdef int64_t t_due                 # when the first of them may get something; see `BucketC`
    cdef int64_t t_step                # start of the last step that computed something, or 0
    cdef ClaimC* claims                # [n_slots]: decoding slots that have a bucket
    cdef int32_t n_claims
    cdef int64_t n_turns               # times that a slot was allotted tokens

    cdef void allot(self, int64_t now, int64_t step_ns) noexcept nogil
    cdef bint claim(self, int64_t now) noexcept nogil
    cdef void look_ahead(self, int64_t step_ns) noexcept nogil
    cdef void share(self) noexcept nogil
    cdef void share_rest(self) noexcept nogil
    cdef void give(self, RequestC* request, int32_t n_tokens) noexcept nogil
    cdef void hold_all(self) noexcept nogil
