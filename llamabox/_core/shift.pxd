from libc.stdint cimport int32_t

from .pool cimport Pool
from .request cimport RequestC


cdef void shift(Pool pool, int32_t i_sequence, RequestC* request) noexcept nogil
