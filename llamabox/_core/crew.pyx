"""Helpers of the step thread: C threads that sleep until there is work to share.

Items are handed out one by one, to whoever is free; the step thread takes part, and waits for no
helper that has not woken up in time. Nobody spins: llama.cpp's compute threads may want the core.
"""
from libc.stdlib cimport calloc, free, malloc

from .lib cimport Library
from .llama cimport LlamaC, llama_token
from .sampler cimport Sampler, SamplerC, sampler_sample
from .sync cimport (
    fetch_add_int,
    pthread_attr_destroy,
    pthread_attr_init,
    pthread_attr_setstacksize,
    pthread_attr_t,
    pthread_cond_broadcast,
    pthread_cond_destroy,
    pthread_cond_init,
    pthread_cond_signal,
    pthread_cond_wait,
    pthread_create,
    pthread_join,
    pthread_mutex_destroy,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
)

import numpy as np

# What a thread of Python's has on Linux: llama.cpp's grammars recurse.
cdef size_t STACK_BYTES = 8 << 20


cdef class Crew:
    """Up to `n_helpers` threads, started when they are first needed.

    :param n_scratch: candidates that each thread's scratch has room for.
    """

    def __cinit__(self, int32_t n_helpers, size_t n_scratch):
        pthread_mutex_init(&self.c.mutex, NULL)
        pthread_cond_init(&self.c.wanted, NULL)
        pthread_cond_init(&self.c.done, NULL)
        self.n_helpers = n_helpers
        self.c.n_scratch = n_scratch
        self.threads = <pthread_t*> calloc(n_helpers + 1, sizeof(pthread_t))
        if self.threads == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.dismiss()
        free(self.threads)
        pthread_cond_destroy(&self.c.done)
        pthread_cond_destroy(&self.c.wanted)
        pthread_mutex_destroy(&self.c.mutex)

    cdef void share(self, WorkC work, void* owner, int32_t n_items, int32_t n_helpers,
                    llama_token_data* scratch) noexcept nogil:
        """Call `work(owner, i, scratch)` for each i in [0, n_items), with `n_helpers` at most.

        `scratch` is the caller's; helpers have their own. Returns when all calls have.
        """
        cdef int32_t i
        n_helpers = self.start(n_helpers)
        if n_helpers == 0:
            for i in range(n_items):
                work(owner, i, scratch)
            return
        pthread_mutex_lock(&self.c.mutex)
        self.c.work = work
        self.c.owner = owner
        self.c.n_items = n_items
        self.c.next = 0
        self.c.n_wanted = n_helpers
        pthread_mutex_unlock(&self.c.mutex)
        for _ in range(n_helpers):
            pthread_cond_signal(&self.c.wanted)
        take_items(&self.c, scratch)
        pthread_mutex_lock(&self.c.mutex)
        self.c.n_wanted = 0
        while self.c.n_busy > 0:
            pthread_cond_wait(&self.c.done, &self.c.mutex)
        pthread_mutex_unlock(&self.c.mutex)

    cdef int32_t start(self, int32_t n_helpers) noexcept nogil:
        """Have `n_helpers` threads, if the system gives as many; returns how many there are."""
        cdef pthread_attr_t attributes
        n_helpers = min(n_helpers, self.n_helpers)
        if n_helpers <= self.n_started:
            return n_helpers
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, STACK_BYTES)
        while self.n_started < n_helpers and pthread_create(
                &self.threads[self.n_started], &attributes, help_out, &self.c) == 0:
            self.n_started += 1
        pthread_attr_destroy(&attributes)
        if self.n_started < n_helpers:
            self.n_helpers = self.n_started
        return self.n_started

    cdef void dismiss(self) noexcept nogil:
        """End the threads; nobody is to share anything from now on."""
        cdef int32_t i
        pthread_mutex_lock(&self.c.mutex)
        self.c.dismissed = True
        pthread_mutex_unlock(&self.c.mutex)
        pthread_cond_broadcast(&self.c.wanted)
        for i in range(self.n_started):
            pthread_join(self.threads[i], NULL)
        self.n_started = self.n_helpers = 0


cdef void* help_out(void* argument) noexcept nogil:
    """A helper's life: sleep until a round wants it, take part, until the crew is dismissed."""
    cdef CrewC* crew = <CrewC*> argument
    cdef llama_token_data* scratch = <llama_token_data*> malloc(
        crew.n_scratch * sizeof(llama_token_data))
    if scratch == NULL:
        return NULL
    pthread_mutex_lock(&crew.mutex)
    while not crew.dismissed:
        if crew.n_wanted == 0:
            pthread_cond_wait(&crew.wanted, &crew.mutex)
            continue
        crew.n_wanted -= 1
        crew.n_busy += 1
        pthread_mutex_unlock(&crew.mutex)
        take_items(crew, scratch)
        pthread_mutex_lock(&crew.mutex)
        crew.n_busy -= 1
        if crew.n_busy == 0:
            pthread_cond_signal(&crew.done)
    pthread_mutex_unlock(&crew.mutex)
    free(scratch)
    return NULL


cdef void take_items(CrewC* crew, llama_token_data* scratch) noexcept nogil:
    cdef int i = fetch_add_int(&crew.next, 1)
    while i < crew.n_items:
        crew.work(crew.owner, i, scratch)
        i = fetch_add_int(&crew.next, 1)


cdef struct RowsC:
    LlamaC* llama
    SamplerC** samplers
    float* logits
    int32_t n_vocab
    llama_token* tokens


def sample_rows(Crew crew not None, Library library not None, samplers, float[:, ::1] logits, *,
                int32_t n_helpers):
    """Sample from each row of `logits` [n, n_vocab] with a sampler of its own, and accept.

    Returns the tokens, as `Sampler.sample` does; `n_helpers` at most take part.
    """
    cdef int32_t i, n = <int32_t> len(logits)
    cdef SamplerC** pointers = <SamplerC**> calloc(n + 1, sizeof(SamplerC*))
    cdef llama_token[::1] tokens = np.empty(n + 1, np.int32)
    cdef llama_token_data* scratch = <llama_token_data*> malloc(
        crew.c.n_scratch * sizeof(llama_token_data))
    cdef RowsC rows = RowsC(&library.c, pointers, &logits[0, 0], <int32_t> logits.shape[1],
                            &tokens[0])
    try:
        if pointers == NULL or scratch == NULL:
            raise MemoryError
        for i in range(n):
            pointers[i] = &(<Sampler?> samplers[i]).c
        with nogil:
            crew.share(sample_row, &rows, n, n_helpers, scratch)
        return [tokens[i] for i in range(n)]
    finally:
        free(pointers)
        free(scratch)


cdef void sample_row(void* owner, int32_t i, llama_token_data* scratch) noexcept nogil:
    cdef RowsC* rows = <RowsC*> owner
    rows.tokens[i] = sampler_sample(
        rows.samplers[i], rows.llama, rows.logits + <size_t> i * rows.n_vocab, rows.n_vocab,
        NULL, 0, scratch)
