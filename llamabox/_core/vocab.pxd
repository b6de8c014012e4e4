from libc.stdint cimport int8_t, int32_t

from .lib cimport Library
from .llama cimport llama_token


cdef struct VocabC:
    int32_t n_tokens
    int32_t longest_piece  # bytes
    int32_t longest_text   # bytes, control tokens included
    char* pieces          # the bytes of all pieces, one after another
    int32_t* offsets      # [n_tokens + 1] into pieces
    int8_t* is_eog        # [n_tokens]


cdef class Vocab:
    cdef VocabC c
    cdef readonly object owner
    cdef readonly tuple end_of_generation    # ids of the tokens that end a generation
    cdef int build(self, Library library, void* vocab, bint special) except -1
