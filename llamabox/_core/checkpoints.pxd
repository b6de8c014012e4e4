from libc.stdint cimport int32_t, int64_t, uint8_t

from .context cimport Context
from .llama cimport llama_token
from .prefix cimport NodeC, PrefixTree, SequenceC


cdef struct CheckpointC:
    uint8_t* state
    size_t n_bytes
    bint is_partial       # the cells of its tokens are needed beside it


cdef struct FoundC:
    int32_t n_tokens      # that a request can start from; 0 if nothing was found
    int32_t n_common      # the longest prefix of the request's that any checkpoint begins with
    int32_t i_whole       # the checkpoint that brings the cells, or -1 if a sequence has them
    int32_t i_partial     # the one that is restored then, or -1


cdef class Checkpoints:
    cdef PrefixTree tree
    cdef CheckpointC* checkpoints
    cdef readonly int32_t n_checkpoints
    cdef readonly size_t n_bytes
    cdef readonly size_t limit

    cdef FoundC find(self, const llama_token* tokens, int32_t n, int64_t key,
                     int32_t n_held) noexcept nogil
    cdef bint fits(self, const SequenceC* sequence, int32_t n_held, FoundC* found) noexcept nogil
    cdef int32_t whole_from(self, const NodeC* node) noexcept nogil
    cdef bint is_near(self, const llama_token* tokens, int32_t n, int64_t key,
                      bint is_partial) noexcept nogil
    cdef void take(self, Context context, int32_t i_sequence, const llama_token* tokens, int32_t n,
                   int64_t key, bint is_partial) noexcept nogil
    cdef bint make_room(self, size_t n_bytes) noexcept nogil
    cdef int32_t enter(self, const llama_token* tokens, int32_t n, int64_t key) noexcept nogil
    cdef bint restore(self, Context context, int32_t i_sequence,
                      const FoundC* found) noexcept nogil
    cdef void hold(self, const FoundC* found) noexcept nogil
    cdef void release(self, const FoundC* found) noexcept nogil
    cdef void drop(self, int32_t i) noexcept nogil
    cdef int32_t length(self, int32_t i) noexcept nogil


cdef enum:
    MIN_CHECKPOINT = 32   # tokens that a checkpoint is away from the one before it, at least
