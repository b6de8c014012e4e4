from libc.stdint cimport int32_t, int64_t

from .blocks cimport BlockC
from .pool cimport Pool
from .request cimport RequestC
from .slots cimport SlotC, Slots
from .stats cimport StatsC
from .tier cimport FetchC, Tier


cdef class Fetches:
    cdef readonly Tier tier
    cdef readonly Pool pool
    cdef bint is_copied_whole
    cdef StatsC* counters

    cdef bint is_ready(self, RequestC* request, int32_t n_match) noexcept nogil
    cdef void open(self, RequestC* request, int32_t n_match) noexcept nogil
    cdef bint may_restore(self, RequestC* request) noexcept nogil
    cdef void leave_missing(self, FetchC* fetch) noexcept nogil
    cdef bint read(self, FetchC* fetch, BlockC* block) noexcept nogil
    cdef void shorten(self, FetchC* fetch, int32_t n_blocks) noexcept nogil
    cdef bint join(self, FetchC* fetch) noexcept nogil
    cdef int32_t restore(self, RequestC* request) noexcept nogil
    cdef bint load(self, Slots slots) noexcept nogil
    cdef void load_slices(self, SlotC* slot, int64_t t_end) noexcept nogil
    cdef bint load_slice(self, SlotC* slot, FetchC* fetch) noexcept nogil
    cdef void count(self, FetchC* fetch, int32_t n) noexcept nogil
    cdef void close(self, RequestC* request) noexcept nogil
