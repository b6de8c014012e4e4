from libc.stdint cimport int32_t

from .llama cimport llama_token_data
from .sync cimport pthread_cond_t, pthread_mutex_t, pthread_t

ctypedef void (*WorkC)(void* owner, int32_t i, llama_token_data* scratch) noexcept nogil


cdef struct CrewC:
    pthread_mutex_t mutex
    pthread_cond_t wanted     # n_wanted or `dismissed` has changed
    pthread_cond_t done       # n_busy is 0
    WorkC work                # of this round, as are the next three
    void* owner
    int32_t n_items
    int next                  # the first item that nobody has taken
    int32_t n_wanted          # helpers that may still join the round
    int32_t n_busy            # that have joined it
    bint dismissed
    size_t n_scratch


cdef class Crew:
    cdef CrewC c
    cdef pthread_t* threads
    cdef readonly int32_t n_helpers      # at most
    cdef readonly int32_t n_started

    cdef void share(self, WorkC work, void* owner, int32_t n_items, int32_t n_helpers,
                    llama_token_data* scratch) noexcept nogil
    cdef int32_t start(self, int32_t n_helpers) noexcept nogil
    cdef void dismiss(self) noexcept nogil
