from libc.stdint cimport int32_t, uint8_t

from .lib cimport Library
from .llama cimport llama_batch, llama_pos, llama_seq_id


cdef class Context:
    cdef void* ctx
    cdef void* memory
    cdef readonly Library library
    cdef readonly object owner
    cdef readonly int32_t n_ctx
    cdef readonly int32_t n_batch
    cdef readonly int32_t n_ubatch
    cdef readonly int32_t n_seq_max
    cdef readonly bint can_shift
    cdef bint is_shifting   # the next forward rotates the keys of what has moved
    cdef int32_t forward(self, llama_batch batch) noexcept nogil
    cdef float* logits(self, int32_t i_row) noexcept nogil
    cdef int32_t trim(self, llama_seq_id seq, llama_pos n_keep) noexcept nogil
    cdef uint8_t* save(self, llama_seq_id seq, size_t limit, size_t* n_bytes) noexcept nogil
    cdef bint restore(self, llama_seq_id seq, const uint8_t* state,
                      size_t n_bytes) noexcept nogil
    cdef bint is_whole(self, llama_seq_id seq) noexcept nogil
    cdef bint shift(self, llama_seq_id seq, llama_pos n_keep, llama_pos n_discard,
                    llama_pos n) noexcept nogil
    cdef int32_t share(self, llama_seq_id source, llama_seq_id seq, llama_pos n) noexcept nogil
