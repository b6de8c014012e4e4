from cpython.ref cimport PyObject
from libc.stdint cimport int32_t, int64_t

from .llama cimport llama_token, llama_token_data
from .sync cimport pthread_mutex_t


cdef struct EventC:
    PyObject* request     # the Request; with the last event its reference passes to the outbox
    int32_t offset        # of the released text in the buffer beside the events
    int32_t n_bytes
    int32_t n_tokens
    int32_t i_token       # of the first of their ids in the buffer beside the events
    int32_t finish        # FinishC
    int32_t n_probs       # records of its tokens (`probs`), if the request asks for them
    int64_t i_prob        # of the first in the buffer beside the events
    int32_t n_computed    # prompt tokens, if that is news and the request asks for it, or -1
    int64_t prefill_ns    # since its admission, by then


cdef struct EventsC:
    EventC* events
    int32_t n_events
    int32_t events_capacity
    char* text
    int32_t n_text
    int32_t text_capacity
    llama_token* tokens
    int32_t n_tokens
    int32_t tokens_capacity
    llama_token_data* probs
    int64_t n_probs
    int64_t probs_capacity


cdef struct OutboxC:
    pthread_mutex_t mutex
    EventsC filling       # written by the step thread under the mutex
    int fd_write
    bint notified


cdef int events_append(EventsC* events, const EventC* event, const char* text,
                       const llama_token* tokens, const llama_token_data* probs) noexcept nogil
cdef void events_clear(EventsC* events) noexcept nogil
cdef void events_free(EventsC* events) noexcept nogil
cdef bint outbox_notify(OutboxC* outbox) noexcept nogil


cdef class Outbox:
    cdef OutboxC c
    cdef EventsC draining
    cdef readonly int fd
    cdef readonly int n_open
