"""The way into the step thread: a linked list of requests under a mutex."""
from .sync cimport (
    pthread_cond_destroy,
    pthread_cond_init,
    pthread_cond_signal,
    pthread_cond_wait,
    pthread_mutex_destroy,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
)


cdef void inbox_init(InboxC* inbox) noexcept nogil:
    pthread_mutex_init(&inbox.mutex, NULL)
    pthread_cond_init(&inbox.changed, NULL)
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


cdef RequestC* inbox_take(InboxC* inbox, bint wait) noexcept nogil:
    """All requests in their order, linked by `next`; with `wait`, not before one comes, or the
    inbox is poked or closed."""
    cdef RequestC* first
    pthread_mutex_lock(&inbox.mutex)
    while wait and inbox.first == NULL and not inbox.closed and not inbox.poked:
        pthread_cond_wait(&inbox.changed, &inbox.mutex)
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
