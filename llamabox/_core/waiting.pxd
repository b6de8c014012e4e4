from libc.stdint cimport int64_t

from .request cimport RequestC


cdef struct WaitingC:
    RequestC* first
    RequestC* last
    int n


cdef void waiting_put(WaitingC* waiting, RequestC* request) noexcept nogil
cdef RequestC* waiting_take(WaitingC* waiting) noexcept nogil
cdef RequestC* waiting_take_ended(WaitingC* waiting, int64_t now) noexcept nogil
