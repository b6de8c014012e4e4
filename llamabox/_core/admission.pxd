from libc.stdint cimport int32_t, int64_t

from .fetch cimport Fetches
from .pool cimport MatchC, Pool
from .request cimport RequestC
from .slots cimport Slots


cdef class Admission:
    cdef readonly Slots slots
    cdef readonly Pool pool
    cdef readonly int32_t checkpoint_step
    cdef readonly Fetches fetches     # None without a second tier
    cdef int64_t refused              # the `arrival` of the request that had no room
    cdef int64_t refused_at           # and `slots.n_changes` then

    cdef bint has_room(self, RequestC* request) noexcept nogil
    cdef void refuse(self, const RequestC* request) noexcept nogil
    cdef bint begin(self, int32_t i_slot) noexcept nogil
    cdef MatchC find(self, const RequestC* request) noexcept nogil
    cdef bint may_begin(self, int32_t i_slot) noexcept nogil
    cdef int32_t n_shared(self, const RequestC* leader, const RequestC* request) noexcept nogil
    cdef int32_t longest_live_prefix(self, const RequestC* request) noexcept nogil
    cdef void follow(self, int32_t i_slot, int32_t n_match) noexcept nogil
    cdef void set_cuts(self) noexcept nogil
    cdef int32_t next_checkpoint(self, const RequestC* request) noexcept nogil
    cdef void mark(self, RequestC* request, int32_t i_sequence) noexcept nogil
