from libc.stdint cimport int32_t, int64_t

from .context cimport Context
from .llama cimport llama_token
from .prefix cimport PrefixTree
from .request cimport RequestC


cdef struct MatchC:
    int32_t n_tokens      # of the prompt that some sequence holds
    int32_t i_source      # that sequence, or -1
    int32_t i_whole       # a parked sequence that holds nothing but a part of them, or -1


cdef class Pool:
    cdef readonly Context context
    cdef readonly PrefixTree tree
    cdef readonly int32_t n_cells
    cdef readonly size_t n_spare_bytes   # for the cells of preempted requests

    cdef MatchC find(self, const llama_token* tokens, int32_t n) noexcept nogil
    cdef int32_t attach(self, MatchC match) noexcept nogil
    cdef int32_t take_over(self, int32_t i_sequence, int32_t n_kept) noexcept nogil
    cdef void save(self, int32_t i_sequence, RequestC* request) noexcept nogil
    cdef int32_t restore(self, RequestC* request) noexcept nogil
    cdef void discard(self, RequestC* request) noexcept nogil
    cdef int32_t length(self, int32_t i_sequence) noexcept nogil
    cdef void extend(self, int32_t i_sequence, const llama_token* tokens, int32_t n) noexcept nogil
    cdef void cut(self, int32_t i_sequence, int32_t n_kept) noexcept nogil
    cdef void leave(self, int32_t i_sequence) noexcept nogil
    cdef void evict(self, int32_t i_sequence) noexcept nogil
    cdef bint evict_parked(self) noexcept nogil
    cdef int64_t n_available(self) noexcept nogil
    cdef void make_room(self, int64_t n_cells) noexcept nogil
    cdef void shrink(self, int32_t i_sequence, int64_t n_wanted) noexcept nogil
    cdef void check(self) noexcept nogil


cdef void fail(const char* reason) noexcept nogil
