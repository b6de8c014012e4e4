"""The way out of the step thread: events of one consumer, and one notification per step."""
import os

from cpython.ref cimport Py_DECREF
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy
from posix.unistd cimport close, read, write

from .sync cimport (
    pthread_mutex_destroy,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
)


cdef int events_append(EventsC* events, PyObject* request, const char* text, int32_t n_bytes,
                       int32_t n_tokens, int32_t finish) noexcept nogil:
    """Add an event and a copy of its text; -1, with nothing added, if memory is short."""
    cdef int32_t capacity
    cdef void* grown
    if events.n_events == events.events_capacity:
        capacity = 2 * events.events_capacity + 16
        grown = realloc(events.events, capacity * sizeof(EventC))
        if grown == NULL:
            return -1
        events.events = <EventC*> grown
        events.events_capacity = capacity
    if events.n_text + n_bytes > events.text_capacity:
        capacity = 2 * events.text_capacity + n_bytes + 256
        grown = realloc(events.text, capacity)
        if grown == NULL:
            return -1
        events.text = <char*> grown
        events.text_capacity = capacity
    memcpy(events.text + events.n_text, text, n_bytes)
    events.events[events.n_events] = EventC(request, events.n_text, n_bytes, n_tokens, finish)
    events.n_events += 1
    events.n_text += n_bytes
    return 0


cdef void events_free(EventsC* events) noexcept nogil:
    free(events.events)
    free(events.text)


cdef bint outbox_notify(OutboxC* outbox) noexcept nogil:
    """Make `fd` readable unless it is; the mutex is held. Returns whether it was not."""
    cdef long long one = 1
    if outbox.notified:
        return False
    outbox.notified = True
    write(outbox.fd_write, &one, sizeof(one))
    return True


cdef class Outbox:
    """What one event loop, or one thread, has not yet taken from the step thread.

    `fd` becomes readable when there is something to drain; the object owns it. `n_open` counts
    the submitted requests whose last event has not been drained. Such an event holds the request,
    and the request this object, so an outbox must be drained until none is open.
    """

    def __cinit__(self):
        self.fd = self.c.fd_write = -1
        pthread_mutex_init(&self.c.mutex, NULL)
        if hasattr(os, "eventfd"):
            self.fd = self.c.fd_write = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self.fd, self.c.fd_write = os.pipe()
            os.set_blocking(self.fd, False)
            os.set_blocking(self.c.fd_write, False)

    def __dealloc__(self):
        release_requests(&self.c.filling)
        events_free(&self.c.filling)
        events_free(&self.draining)
        if self.c.fd_write != self.fd:
            close(self.c.fd_write)
        if self.fd >= 0:
            close(self.fd)
        pthread_mutex_destroy(&self.c.mutex)

    def drain(self):
        """Take all events.

        Returns a list of (request, text bytes, number of tokens, finish) in the order of the
        steps; `finish` is 0 but in a request's last event. Never blocks.
        """
        cdef char sink[64]
        cdef EventsC taken
        cdef EventC* event
        cdef int32_t i
        read(self.fd, sink, sizeof(sink))
        pthread_mutex_lock(&self.c.mutex)
        taken = self.c.filling
        self.c.filling = self.draining
        self.c.notified = False
        pthread_mutex_unlock(&self.c.mutex)
        drained = []
        for i in range(taken.n_events):
            event = &taken.events[i]
            drained.append((
                <object> event.request,
                taken.text[event.offset:event.offset + event.n_bytes],
                event.n_tokens,
                event.finish,
            ))
            self.n_open -= event.finish != 0
        release_requests(&taken)
        taken.n_events = taken.n_text = 0
        self.draining = taken
        return drained


cdef void release_requests(EventsC* events):
    """Give up the references that last events carry."""
    cdef int32_t i
    for i in range(events.n_events):
        if events.events[i].finish:
            Py_DECREF(<object> events.events[i].request)
