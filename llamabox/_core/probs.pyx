"""How likely output tokens were, and which tokens were likeliest: for requests that ask.

An output token has `1 + n_best` records, `llama_token_data` of which `id` and `p` count: its own,
then those of the likeliest tokens, the likeliest first, filled up with -1 for an `id`. `p` is a log
probability in the model's own distribution, or with `post_sampling` a probability in the one that
the samplers left.
"""
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from .logprobs cimport log_sum_exp, top_logprobs
from .sampler cimport likeliest_candidates


cdef int probs_add(ProbsC* probs, const SamplerC* sampler, const float* logits, int32_t n_vocab,
                   llama_token token, llama_token_data* scratch) noexcept nogil:
    """Hold the records of a token that `sampler` has just chosen; -1 if memory is short.

    `logits` [n_vocab] and `scratch` are as `sampler_sample` left them; `scratch` is written to.
    """
    cdef int32_t i, n
    cdef double log_sum
    cdef llama_token_data* own = reserve(probs)
    if own == NULL:
        return -1
    if probs.post_sampling:
        own[0] = sampler.candidates.data[sampler.candidates.selected]
        n = likeliest_candidates(sampler, probs.n_best, own + 1)
    else:
        log_sum = log_sum_exp(logits, n_vocab)
        own[0] = llama_token_data(token, logits[token], <float> (logits[token] - log_sum))
        n = top_logprobs(logits, n_vocab, probs.n_best, log_sum, scratch)
        memcpy(own + 1, scratch, n * sizeof(llama_token_data))
    for i in range(n, probs.n_best):
        own[1 + i] = llama_token_data(-1, 0, 0)
    probs.n_held += 1 + probs.n_best
    return 0


cdef llama_token_data* reserve(ProbsC* probs) noexcept nogil:
    """Room behind the held records for those of one more token, or NULL."""
    cdef int32_t capacity = 2 * probs.n_held + 1 + probs.n_best
    cdef void* grown
    if probs.n_held + 1 + probs.n_best > probs.capacity:
        grown = realloc(probs.held, capacity * sizeof(llama_token_data))
        if grown == NULL:
            return NULL
        probs.held = <llama_token_data*> grown
        probs.capacity = capacity
    return probs.held + probs.n_held


cdef void probs_free(ProbsC* probs) noexcept nogil:
    free(probs.held)


cdef list probs_lists(const llama_token_data* records, int32_t n_records, int32_t n_tokens):
    """The records of each of `n_tokens` tokens as a list of (token, p)."""
    cdef int32_t i, j, n = n_records // n_tokens
    return [
        [(records[j].id, records[j].p) for j in range(i * n, i * n + n) if records[j].id >= 0]
        for i in range(n_tokens)
    ]
