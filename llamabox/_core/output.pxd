from libc.stdint cimport int32_t, int64_t

from .backend cimport Backend
from .context cimport Context
from .crew cimport Crew
from .llama cimport llama_token, llama_token_data
from .outbox cimport EventsC
from .request cimport RequestC
from .slots cimport SlotC, Slots
from .stats cimport StatsC
from .vocab cimport Vocab


cdef struct RowC:
    SlotC* slot
    float* logits                     # [1 + n_draft, n_vocab]


cdef class Output:
    cdef readonly Context context
    cdef readonly Vocab vocab
    cdef readonly Crew crew
    cdef readonly Backend backend
    cdef public int64_t wake_ns       # nanoseconds of sampling that are worth waking a helper
    cdef RowC* rows                   # [n_slots]: the slots whose output rows are sampled here
    cdef int32_t n_rows
    cdef int64_t t_ready              # nanoseconds; when the forward's output was there
    cdef StatsC* counters             # the scheduler's
    cdef EventsC events               # of this step, for all outboxes
    cdef llama_token_data* scratch    # [max(n_vocab, n_ctx)]

    cdef void choose(self, Slots slots) noexcept nogil
    cdef void gather(self, Slots slots) noexcept nogil
    cdef int32_t n_helpers(self) noexcept nogil
    cdef void choose_rows(self, RowC* row, llama_token_data* scratch) noexcept nogil
    cdef llama_token choose_row(self, RequestC* request, int32_t i, float* logits,
                                llama_token_data* scratch) noexcept nogil
    cdef void think(self, RequestC* request, llama_token token) noexcept nogil
    cdef int32_t take(self, SlotC* slot, int64_t now) noexcept nogil
    cdef int32_t append(self, RequestC* request, llama_token token,
                        int32_t* n_ready) noexcept nogil
    cdef void count_tokens(self, RequestC* request, int32_t n, int64_t now) noexcept nogil
    cdef void note_progress(self, RequestC* request, int32_t n) noexcept nogil
    cdef void report(self, RequestC* request, int32_t n_bytes) noexcept nogil
    cdef void publish(self) noexcept nogil
