"""The queue of requests that have no slot, in order of arrival; preempted ones take their old
place again."""
from .sync cimport load_int


cdef void waiting_put(WaitingC* waiting, RequestC* request) noexcept nogil:
    """Insert by `sequence`: at once for a new request, which is the last."""
    cdef RequestC* before = NULL
    if waiting.last != NULL and waiting.last.sequence < request.sequence:
        before = waiting.last
    else:
        while next_of(waiting, before) != NULL and (
                next_of(waiting, before).sequence < request.sequence):
            before = next_of(waiting, before)
    request.next = next_of(waiting, before)
    if before == NULL:
        waiting.first = request
    else:
        before.next = request
    if request.next == NULL:
        waiting.last = request
    waiting.n += 1


cdef RequestC* waiting_take(WaitingC* waiting) noexcept nogil:
    """Remove and return the first request, or NULL."""
    return take_after(waiting, NULL)


cdef RequestC* waiting_take_cancelled(WaitingC* waiting) noexcept nogil:
    """Remove and return the first cancelled request, or NULL."""
    cdef RequestC* before = NULL
    cdef RequestC* request = waiting.first
    while request != NULL:
        if load_int(&request.cancelled):
            return take_after(waiting, before)
        before = request
        request = request.next
    return NULL


cdef RequestC* next_of(WaitingC* waiting, RequestC* before) noexcept nogil:
    return waiting.first if before == NULL else before.next


cdef RequestC* take_after(WaitingC* waiting, RequestC* before) noexcept nogil:
    cdef RequestC* request = next_of(waiting, before)
    if request == NULL:
        return NULL
    if before == NULL:
        waiting.first = request.next
    else:
        before.next = request.next
    if waiting.last == request:
        waiting.last = before
    request.next = NULL
    waiting.n -= 1
    return request
