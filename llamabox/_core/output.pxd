from libc.stdint cimport int32_t, int64_t

from .context cimport Context
from .llama cimport llama_token, llama_token_data
from .outbox cimport EventsC
from .request cimport RequestC
from .slots cimport Slots
from .stats cimport StatsC
from .vocab cimport Vocab


cdef class Output:
    cdef readonly Context context
    cdef readonly Vocab vocab
    cdef StatsC* counters             # the scheduler's
    cdef EventsC events               # of this step, for all outboxes
    cdef llama_token_data* scratch    # [max(n_vocab, n_ctx)]

    cdef void choose(self, Slots slots) noexcept nogil
    cdef int32_t append(self, RequestC* request, llama_token token, int64_t now) noexcept nogil
    cdef void count_token(self, RequestC* request, int64_t now) noexcept nogil
    cdef void report(self, RequestC* request, int32_t n_bytes) noexcept nogil
    cdef void publish(self) noexcept nogil
