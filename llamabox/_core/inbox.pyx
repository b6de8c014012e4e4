"""The way into the step thread: a linked list of requests under a mutex."""
from libc.stdint cimport INT64_MAX

from .sync cimport (
    cond_init,
    cond_wait_until,
    pthread_cond_destroy,
    pthread_cond_signal,
    pthread_cond_wait,
    pthread_mutex_destroy,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
)


cdef void inbox_init(InboxC* inbox) noexcept nogil:
    pthread_mutex_init(&inbox.mutex, NULL)
    cond_init(&inbox.changed)
    inbox.first = inbox.last = NULL
    inbox.n = 0
    inbox.closed = inbox.poked = False


cdef void inbox_free(InboxC* inbox) noexcept nogil:
    pthread_cond_destroy(&inbox.changed)
    pthread_mutex_destroy(&inbox.mutex)


cdef bint inbox_put(InboxC* inbox, RequestC* first, RequestC* last, int n) noexcept nogil:
    """Append `n` requests, linked by `next`, and wake the step thread; False if it is closed."""
    pthread_mutex_lock(&inbox.mutex)
    cdef bint is_open = not inbox.closed
    if is_open:
        last.next = NULL
        if inbox.last == NULL:
            inbox.first = first
        else:
            inbox.last.next = first
        inbox.last = last
        inbox.n += n
        pthread_cond_signal(&inbox.changed)
    pthread_mutex_unlock(&inbox.mutex)
    return is_open


cdef RequestC* inbox_take(InboxC* inbox, int64_t t_until) noexcept nogil:
    """All requests in their order, linked by `next`.

    Not before one comes, the inbox is poked or closed, or the monotonic clock is at `t_until`
    nanoseconds: 0 does not wait, INT64_MAX waits without end.
    """
    cdef RequestC* first
    cdef bint is_late = t_until == 0
    pthread_mutex_lock(&inbox.mutex)
    while inbox.first == NULL and not inbox.closed and not inbox.poked and not is_late:
        if t_until == INT64_MAX:
            pthread_cond_wait(&inbox.changed, &inbox.mutex)
        else:
            is_late = cond_wait_until(&inbox.changed, &inbox.mutex, t_until) != 0
    inbox.poked = False
    first = inbox.first
    inbox.first = inbox.last = NULL
    inbox.n = 0
    pthread_mutex_unlock(&inbox.mutex)
    return first


cdef void inbox_poke(InboxC* inbox) noexcept nogil:
    """Wake the step thread if it waits for requests."""
    pthread_mutex_lock(&inbox.mutex)
    inbox.poked = True
    pthread_cond_signal(&inbox.changed)
    pthread_mutex_unlock(&inbox.mutex)


cdef int inbox_count(InboxC* inbox) noexcept nogil:
    pthread_mutex_lock(&inbox.mutex)
    cdef int n = inbox.n
    pthread_mutex_unlock(&inbox.mutex)
    return n


cdef void inbox_close(InboxC* inbox) noexcept nogil:
    pthread_mutex_lock(&inbox.mutex)
    inbox.closed = True
    pthread_cond_signal(&inbox.changed)
    pthread_mutex_unlock(&inbox.mutex)


cdef bint inbox_is_closed(InboxC* inbox) noexcept nogil:
    pthread_mutex_lock(&inbox.mutex)
    cdef bint closed = inbox.closed
    pthread_mutex_unlock(&inbox.mutex)
    return closed
