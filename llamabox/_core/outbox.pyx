"""The way out of the step thread: events of one consumer, and one notification per step."""
import os

from cpython.ref cimport Py_DECREF
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy
from posix.unistd cimport close, read, write

from .probs cimport probs_lists
from .sync cimport (
    pthread_mutex_destroy,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
)


cdef int events_append(EventsC* events, const EventC* event, const char* text,
                       const llama_token* tokens, const llama_token_data* probs) noexcept nogil:
    """Add an event and copies of its text [n_bytes], tokens [n_tokens] and records [n_probs]; -1 if
    memory is short."""
    cdef EventC* added
    if (reserve(<void**> &events.events, &events.events_capacity, events.n_events, 1,
                sizeof(EventC)) < 0
            or reserve(<void**> &events.text, &events.text_capacity, events.n_text,
                       event.n_bytes, 1) < 0
            or reserve(<void**> &events.tokens, &events.tokens_capacity, events.n_tokens,
                       event.n_tokens, sizeof(llama_token)) < 0):
        return -1
    if event.n_probs > 0 and append_probs(events, probs, event.n_probs) < 0:
        return -1
    memcpy(events.text + events.n_text, text, event.n_bytes)
    if event.n_tokens > 0:
        memcpy(events.tokens + events.n_tokens, tokens, event.n_tokens * sizeof(llama_token))
    added = &events.events[events.n_events]
    added[0] = event[0]
    added.offset = events.n_text
    added.i_token = events.n_tokens
    added.i_prob = events.n_probs - event.n_probs
    events.n_events += 1
    events.n_text += event.n_bytes
    events.n_tokens += event.n_tokens
    return 0


cdef int reserve(void** items, int32_t* capacity, int32_t n, int32_t n_more,
                 size_t size) noexcept nogil:
    """Have room for `n_more` items of `size` bytes behind `n`; -1 if memory is short."""
    cdef void* grown
    if n + n_more <= capacity[0]:
        return 0
    grown = realloc(items[0], (2 * capacity[0] + n_more + 16) * size)
    if grown == NULL:
        return -1
    items[0] = grown
    capacity[0] = 2 * capacity[0] + n_more + 16
    return 0


cdef int append_probs(EventsC* events, const llama_token_data* probs,
                      int32_t n_probs) noexcept nogil:
    cdef int64_t capacity = 2 * events.probs_capacity + n_probs + 64
    cdef void* grown
    if events.n_probs + n_probs > events.probs_capacity:
        grown = realloc(events.probs, capacity * sizeof(llama_token_data))
        if grown == NULL:
            return -1
        events.probs = <llama_token_data*> grown
        events.probs_capacity = capacity
    memcpy(events.probs + events.n_probs, probs, n_probs * sizeof(llama_token_data))
    events.n_probs += n_probs
    return 0


cdef void events_clear(EventsC* events) noexcept nogil:
    events.n_events = events.n_text = events.n_tokens = 0
    events.n_probs = 0


cdef void events_free(EventsC* events) noexcept nogil:
    free(events.events)
    free(events.text)
    free(events.tokens)
    free(events.probs)


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

        Returns a list of (request, text bytes, token ids, finish, probs, progress) in the order
        of the steps; `finish` is 0 but in a request's last event. `probs` has a list for each
        token, of its own and the likeliest tokens' (token, p); None if the event has no tokens, or
        the request does not ask. `progress` is (prompt tokens computed, nanoseconds since the
        admission), or None if that is no news, or the request does not ask. Never blocks.
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
                tokens_list(taken.tokens + event.i_token, event.n_tokens),
                event.finish,
                probs_lists(taken.probs + event.i_prob, event.n_probs, event.n_tokens)
                if event.n_probs > 0 else None,
                (event.n_computed, event.prefill_ns) if event.n_computed >= 0 else None,
            ))
            self.n_open -= event.finish != 0
        release_requests(&taken)
        events_clear(&taken)
        self.draining = taken
        return drained


cdef list tokens_list(const llama_token* tokens, int32_t n):
    cdef int32_t i
    return [tokens[i] for i in range(n)]


cdef void release_requests(EventsC* events):
    """Give up the references that last events carry."""
    cdef int32_t i
    for i in range(events.n_events):
        if events.events[i].finish:
            Py_DECREF(<object> events.events[i].request)
