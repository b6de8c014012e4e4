"""The queue of requests that have no slot, by rank; preempted ones take their old place again."""
from .request cimport ended_early, is_before


cdef void waiting_put(WaitingC* waiting, RequestC* request) noexcept nogil:
    """Insert by rank: at once for a request that comes last, as new ones do."""
    cdef RequestC* before = NULL
    if waiting.last != NULL and is_before(waiting.last, request):
        before = waiting.last
    else:
        while next_of(waiting, before) != NULL and is_before(next_of(waiting, before), request):
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


cdef RequestC* waiting_take_ended(WaitingC* waiting, int64_t now) noexcept nogil:
    """Remove the requests that are cancelled or late; returns them linked by `next`, or NULL."""
    cdef RequestC* ended = NULL
    cdef RequestC* before = NULL
    cdef RequestC* request = waiting.first
    cdef RequestC* following
    while request != NULL:
        following = request.next
        if ended_early(request, now):
            take_after(waiting, before)
            request.next = ended
            ended = request
        else:
            before = request
        request = following
    return ended


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
