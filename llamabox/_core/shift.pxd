from libc.stdint cimport int32_t

from .pool cimport Pool
from .prefix cimport PrefixTree
from .request cimport RequestC


cdef void shift(Pool pool, int32_t i_sequence, RequestC* request) noexcept nogil
cdef bint disown(Pool pool, int32_t i_sequence, int32_t n_before) noexcept nogil
cdef int32_t n_common(PrefixTree tree, int32_t i, int32_t j) noexcept nogil
