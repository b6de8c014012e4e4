cdef void keep_quiet() noexcept nogil
