from libc.stdint cimport int32_t

from .llama cimport llama_token_data

cdef double log_sum_exp(const float* logits, int32_t n_vocab) noexcept nogil
cdef int32_t top_logprobs(const float* logits, int32_t n_vocab, int32_t n_best, double log_sum,
                          llama_token_data* out) noexcept nogil
