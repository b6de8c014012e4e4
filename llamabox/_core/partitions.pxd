from libc.stdint cimport int32_t, int64_t

from .pool cimport MatchC, Pool


cdef class Partitions(Pool):
    cdef int32_t move_parked(self, int32_t i, int32_t i_source) noexcept nogil
    cdef void copy(self, int32_t i_source, int32_t i, int32_t n) noexcept nogil
    cdef bint is_worth_cutting(self, int32_t i, int32_t n_kept) noexcept nogil
