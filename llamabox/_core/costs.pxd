from libc.stdint cimport int32_t, int64_t


cdef class Costs:
    cdef double* measured             # [n_most + 1]: nanoseconds, times `scale`; 0: not measured
    cdef int64_t* seen                # [n_most + 1]: the observation that was the last of each
    cdef double* estimates            # [n_most + 1]: nanoseconds, times `scale`
    cdef double scale
    cdef int64_t n_observed
    cdef readonly int32_t n_most
    cdef bint is_fixed                # they are given, and not measured

    cdef void observe(self, int32_t n_rows, int64_t elapsed) noexcept nogil
    cdef void estimate(self) noexcept nogil
    cdef void forget_old(self) noexcept nogil
    cdef void fill(self, int32_t first, int32_t last) noexcept nogil
    cdef double of(self, int32_t n_rows) noexcept nogil
    cdef bint is_known(self, int32_t n_rows) noexcept nogil
