from .request cimport RequestC
from .sync cimport pthread_cond_t, pthread_mutex_t


cdef struct InboxC:
    pthread_mutex_t mutex
    pthread_cond_t changed
    RequestC* first
    RequestC* last
    int n
    bint closed
    bint poked            # there is something to do that is no request


cdef void inbox_init(InboxC* inbox) noexcept nogil
cdef void inbox_free(InboxC* inbox) noexcept nogil
cdef bint inbox_put(InboxC* inbox, RequestC* first, RequestC* last, int n) noexcept nogil
cdef RequestC* inbox_take(InboxC* inbox, bint wait) noexcept nogil
cdef void inbox_poke(InboxC* inbox) noexcept nogil
cdef int inbox_count(InboxC* inbox) noexcept nogil
cdef void inbox_close(InboxC* inbox) noexcept nogil
cdef bint inbox_is_closed(InboxC* inbox) noexcept nogil
