from libc.stdint cimport int32_t, int64_t

from .context cimport Context
from .llama cimport llama_token
from .sampler cimport SamplerC


cdef struct AttachedC:
    void* chain           # owned; NULL if there is none, or only the context's own
    int64_t key           # SamplerC.backend_key
    bint is_set           # llama.cpp has a chain for the sequence


cdef class Backend:
    cdef readonly Context context
    cdef readonly bint is_enabled
    cdef readonly int64_t n_sampled      # tokens
    cdef readonly int64_t n_changes      # times that llama.cpp was given a chain, or none
    cdef AttachedC* attached             # [n_sequences]
    cdef int32_t n_sequences
    cdef void (*release)(void* sampler) noexcept nogil

    cdef void attach(self, int32_t i_sequence, SamplerC* sampler) noexcept nogil
    cdef void detach(self, SamplerC* sampler) noexcept nogil
    cdef bint change(self, int32_t i_sequence, void* chain) noexcept nogil
    cdef bint runs_all(self, void* chain) noexcept nogil
    cdef llama_token sampled(self, int32_t i_row, SamplerC* sampler) noexcept nogil
