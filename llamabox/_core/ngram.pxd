from libc.stdint cimport int32_t, int64_t, uint64_t

from .llama cimport llama_token

cdef enum:
    LONGEST_SIZE = 4      # tokens of the longest n-grams; or of the shortest, if those are longer
    LONGEST_MATCH = 16    # tokens up to which a match is measured


cdef struct NgramTableC:
    void* memory          # NULL: there is no table
    uint64_t* entries     # in it, buckets of N_WAYS; 0 is an empty one
    uint64_t n_buckets    # a power of two


cdef struct NgramC:
    NgramTableC table
    NgramTableC grown     # that takes its place, if there is one
    int32_t n_regrown     # tokens that `grown` knows
    int32_t n_indexed     # tokens that `table` knows
    int32_t n_min         # tokens of the shortest n-grams; 0: nothing is indexed
    int32_t n_matched     # of the last tokens, those that the match has
    int32_t i_next        # position of the token that followed it, if n_matched > 0


cdef int ngram_init(NgramC* ngram, int32_t n_min, int32_t n_expected) noexcept nogil
cdef void ngram_free(NgramC* ngram) noexcept nogil
cdef int32_t ngram_push(NgramC* ngram, const llama_token* tokens) noexcept nogil
cdef void ngram_draft(const NgramC* ngram, const llama_token* tokens, llama_token* draft,
                      int32_t n) noexcept nogil
