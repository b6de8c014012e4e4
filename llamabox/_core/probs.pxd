from libc.stdint cimport int32_t

from .llama cimport llama_token, llama_token_data
from .sampler cimport SamplerC


cdef struct ProbsC:
    int32_t n_best          # likeliest tokens beside each output token; -1: no records at all
    bint post_sampling      # of the distribution that was sampled from, not of the model's
    llama_token_data* held  # records of the output tokens of which no event tells yet
    int32_t n_held
    int32_t capacity


cdef int probs_add(ProbsC* probs, const SamplerC* sampler, const float* logits, int32_t n_vocab,
                   llama_token token, llama_token_data* scratch) noexcept nogil
cdef void probs_free(ProbsC* probs) noexcept nogil
cdef list probs_lists(const llama_token_data* records, int32_t n_records, int32_t n_tokens)
