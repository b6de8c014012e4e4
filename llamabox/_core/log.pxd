cdef void set_quiet(bint is_quiet) noexcept nogil
