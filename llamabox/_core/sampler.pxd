from libc.stdint cimport int32_t

from .llama cimport LlamaC, llama_token, llama_token_data

cdef enum PruneC:
    PRUNE_GREEDY = 0      # the best token
    PRUNE_TOP_K = 1       # the top_k best
    PRUNE_MIN_P = 2       # all within ln(min_p) of the best
    PRUNE_NONE = 3        # every token


cdef struct SamplerC:
    PruneC prune
    int32_t top_k
    float min_p_width     # -ln(min_p), with a margin
    void* chain           # finishes on the survivors; NULL if greedy
    void* penalties       # NULL if off
    int32_t penalty_last_n
    llama_token* banned   # never sampled
    int32_t n_banned


cdef class Sampler:
    cdef SamplerC c           # chain and penalties are owned
    cdef void (*release)(void* sampler) noexcept nogil
    cdef int ban(self, tokens) except -1

cdef void sampler_start(SamplerC* sampler, LlamaC* llama, const llama_token* history,
                        int32_t n_history) noexcept nogil
cdef llama_token sampler_sample(SamplerC* sampler, LlamaC* llama, float* logits, int32_t n_vocab,
                                const llama_token* history, int32_t n_history,
                                llama_token_data* scratch) noexcept nogil
