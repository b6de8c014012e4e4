from libc.stdint cimport int32_t, uint8_t

from .lib cimport Library
from .llama cimport llama_batch, llama_pos, llama_seq_id

cdef enum MemoryC:
    MEMORY_CELLS = 0      # any part of a sequence can be shared and trimmed
    MEMORY_WINDOW = 1     # parts, as far back as the cells of the sliding window are still there
    MEMORY_STATES = 2     # whole sequences only: recurrent models, and hybrids of them


cdef class Context:
    cdef void* ctx
    cdef void* memory
    cdef readonly Library library
    cdef readonly object owner
    cdef readonly int32_t n_ctx           # cells that one sequence can hold at most
    cdef readonly int32_t n_batch
    cdef readonly int32_t n_ubatch
    cdef readonly int32_t n_seq_max
    cdef readonly int32_t kind           # MemoryC
    cdef readonly bint is_recurrent      # it holds states, and no cells beside them
    cdef readonly bint is_windowed                # some layers attend to the last positions alone
    cdef readonly int32_t n_window                # positions that the next one attends to
    cdef int32_t memory_kind(self, bint is_hybrid, bint swa_full)
    cdef readonly bint is_partitioned
    cdef bint is_copying              # the next forward begins with copies between streams
    cdef public bint can_shift        # cells may be moved to other positions
    cdef bint is_shifting             # the next forward begins with rotating the keys of those
    cdef int32_t forward(self, llama_batch batch) noexcept nogil
    cdef float* logits(self, int32_t i_row) noexcept nogil
    cdef bint can_cut(self, llama_seq_id seq, llama_pos n) noexcept nogil
    cdef int32_t trim(self, llama_seq_id seq, llama_pos n_keep) noexcept nogil
    cdef bint shift(self, llama_seq_id seq, llama_pos n_keep, llama_pos n_discard,
                    llama_pos n) noexcept nogil
    cdef size_t state_bytes(self, llama_seq_id seq, bint partial) noexcept nogil
    cdef uint8_t* save(self, llama_seq_id seq, size_t limit, size_t* n_bytes,
                       bint partial) noexcept nogil
    cdef bint restore(self, llama_seq_id seq, const uint8_t* state, size_t n_bytes,
                      bint partial) noexcept nogil
    cdef bint return_to(self, llama_seq_id seq, llama_pos n, const uint8_t* state,
                        size_t n_bytes) noexcept nogil
    cdef bint is_settled(self, bint partial) noexcept nogil
    cdef bint own_window(self, llama_seq_id seq) noexcept nogil
    cdef void copy(self, llama_seq_id source, llama_seq_id seq) noexcept nogil
    cdef int32_t share(self, llama_seq_id source, llama_seq_id seq, llama_pos n) noexcept nogil
