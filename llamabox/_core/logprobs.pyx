"""Log probabilities of tokens in the model's own distribution, before any sampler.

`sampler_sample` leaves a row of logits as it was, so they may be computed after it. Those of the
distribution that a token was sampled from are in `SamplerC.candidates`.
"""
from libc.math cimport INFINITY, log
from libc.stdlib cimport free, malloc

from .sampler cimport best_candidates

cdef extern from "logprobs_exp.h" nogil:
    double sum_exp(const float* x, int32_t n, float top)
    float largest(const float* x, int32_t n)


def logprobs(const float[::1] logits, int32_t token, int32_t n_best=0):
    """The log probability of a token, and the likeliest tokens with theirs, likeliest first.

    :param logits: [n_vocab].
    :raises IndexError: there is no such token.
    """
    cdef int32_t i, n, n_vocab = <int32_t> len(logits)
    if not 0 <= token < n_vocab:
        raise IndexError(token)
    cdef double log_sum = log_sum_exp(&logits[0], n_vocab)
    cdef llama_token_data* best = <llama_token_data*> malloc(n_vocab * sizeof(llama_token_data))
    if best == NULL:
        raise MemoryError
    n = top_logprobs(&logits[0], n_vocab, n_best, log_sum, best)
    found = [(best[i].id, best[i].p) for i in range(n)]
    free(best)
    return logits[token] - log_sum, found


cdef double log_sum_exp(const float* logits, int32_t n_vocab) noexcept nogil:
    """Logarithm of the sum of exp(logits), [n_vocab]; a logit less this is a log probability."""
    cdef float top = largest(logits, n_vocab)
    if not top > -INFINITY:
        return -INFINITY
    return top + log(sum_exp(logits, n_vocab, top))


cdef int32_t top_logprobs(const float* logits, int32_t n_vocab, int32_t n_best, double log_sum,
                          llama_token_data* out) noexcept nogil:
    """Write the `n_best` likeliest tokens to `out`, likeliest first; `p` is the log probability.

    `out` has room for n_vocab. Returns how many there are: n_vocab at most.
    """
    cdef int32_t i, n = best_candidates(logits, n_vocab, n_best, out)
    for i in range(n):
        out[i].p = <float> (out[i].logit - log_sum)
    return n
