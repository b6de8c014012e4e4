from libc.stdint cimport int8_t, int32_t

from .llama cimport llama_batch, llama_pos, llama_seq_id, llama_token


cdef class Batch:
    cdef llama_batch c
    cdef llama_seq_id* seqs      # [capacity]; c.seq_id points into it
    cdef readonly int32_t capacity
    cdef void clear(self) noexcept nogil
    cdef int32_t add(self, llama_seq_id seq, llama_pos pos, const llama_token* tokens,
                     int32_t n, int32_t n_outputs) noexcept nogil
