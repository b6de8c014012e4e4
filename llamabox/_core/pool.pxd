from libc.stdint cimport int32_t, int64_t

from .checkpoints cimport Checkpoints, FoundC
from .context cimport Context
from .llama cimport llama_token
from .prefix cimport PrefixTree
from .request cimport RequestC
from .tier cimport Tier


cdef struct MatchC:
    int32_t n_tokens      # of the prompt that a request can start from
    int32_t i_source      # the sequence that holds them, or -1
    int32_t i_whole       # a parked sequence that holds nothing but a part of them, or -1
    int32_t n_common      # of the prompt that was computed before, whether that can be used or not
    int32_t i_cells       # a sequence with the cells for a partial checkpoint, or -1
    FoundC found          # the checkpoint to start from, if `found.n_tokens` is above 0


cdef class Pool:
    cdef readonly Context context
    cdef readonly PrefixTree tree
    cdef readonly Checkpoints checkpoints
    cdef readonly Tier tier
    cdef readonly int32_t n_cells
    cdef readonly size_t n_spare_bytes   # for the cells of preempted requests
    cdef readonly int32_t min_shared     # tokens of a match that may be shared

    cdef MatchC find(self, const llama_token* tokens, int32_t n, int64_t key) noexcept nogil
    cdef void narrow(self, MatchC* match, const llama_token* tokens, int32_t n,
                     int64_t key) noexcept nogil
    cdef bint lends_cells(self, int32_t i_source) noexcept nogil
    cdef int32_t attach(self, MatchC match, const RequestC* request) noexcept nogil
    cdef int32_t return_to(self, const MatchC* match, const RequestC* request) noexcept nogil
    cdef int32_t place_for(self, const MatchC* match) noexcept nogil
    cdef void fill(self, int32_t i_sequence, const MatchC* match,
                   const RequestC* request) noexcept nogil
    cdef bint gives_way(self, int32_t i, int32_t n_kept) noexcept nogil
    cdef int32_t claim(self) noexcept nogil
    cdef int32_t take_over(self, int32_t i_sequence, int32_t n_kept) noexcept nogil
    cdef void save(self, int32_t i_sequence, RequestC* request) noexcept nogil
    cdef int32_t restore(self, RequestC* request) noexcept nogil
    cdef void discard(self, RequestC* request) noexcept nogil
    cdef int32_t length(self, int32_t i_sequence) noexcept nogil
    cdef void extend(self, int32_t i_sequence, const llama_token* tokens, int32_t n) noexcept nogil
    cdef void cut(self, int32_t i_sequence, int32_t n_kept) noexcept nogil
    cdef void drop_unbooked(self, int32_t i_sequence) noexcept nogil
    cdef void remember(self, int32_t i_sequence, bint is_partial) noexcept nogil
    cdef void rescue(self, int32_t i_sequence) noexcept nogil
    cdef void retire(self, int32_t i_sequence) noexcept nogil
    cdef void leave(self, int32_t i_sequence) noexcept nogil
    cdef void evict(self, int32_t i_sequence) noexcept nogil
    cdef bint evict_parked(self) noexcept nogil
    cdef int64_t n_used(self) noexcept nogil
    cdef int64_t n_free(self) noexcept nogil
    cdef int64_t n_available(self) noexcept nogil
    cdef void make_room(self, int64_t n_cells) noexcept nogil
    cdef void shrink(self, int32_t i_sequence, int64_t n_wanted) noexcept nogil
    cdef void check(self) noexcept nogil


cdef void fail(const char* reason) noexcept nogil
