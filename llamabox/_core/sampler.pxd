from libc.stdint cimport int32_t, int64_t

from .guidance cimport Constraint, GuidanceC
from .llama cimport LlamaC, llama_token, llama_token_data, llama_token_data_array

cdef enum PruneC:
    PRUNE_GREEDY = 0      # the best token
    PRUNE_TOP_K = 1       # the top_k best
    PRUNE_MIN_P = 2       # all within ln(min_p) of the best
    PRUNE_NONE = 3        # every token


cdef struct TokenLogitC:
    llama_token token
    float logit


cdef struct LookbackC:
    void* sampler         # llama.cpp's penalties or DRY, which know the last last_n tokens
    int32_t last_n
    bint leads            # it works on the logits before they are pruned, not in the chain


cdef struct SamplerC:
    PruneC prune
    int32_t top_k
    int32_t min_keep
    float temperature     # divides the logits before that filter; 1 if it comes later
    float min_p_width     # how far below the best logit min_p cuts
    float min_p_margin    # what rounding may add to that: the chain's own min_p decides
    void* chain           # finishes on the survivors; NULL if greedy
    void* grammar         # llama.cpp's; NULL if there is none
    void* matcher         # llguidance's; NULL if there is none
    const GuidanceC* guidance  # what it is called through
    bint has_failed       # llama.cpp's grammar takes too long; there is no token any more
    bint waits            # these constraints do, for the end of the reasoning
    llama_token opening_token  # begins the reasoning, whatever they say; -1: none does
    LookbackC* lookbacks  # in order
    int32_t n_lookbacks
    TokenLogitC* biases   # added to the logits
    int32_t n_biases
    llama_token* ends     # banned while fewer tokens than n_least are known
    int32_t n_ends
    int32_t n_least       # before the request starts: beyond its prompt
    TokenLogitC* edits    # logits as they were, of what is changed while a token is chosen
    int32_t n_edits
    llama_token_data_array candidates  # what the last token was chosen from, in the scratch
    int64_t cost_ns       # nanoseconds that a token takes
    void* backend         # the chain for llama.cpp to run beside the model; NULL if it cannot
    int64_t backend_key   # the same for chains that differ by their seed alone
    void* attached        # the copy of it that samples now, or NULL


cdef class Sampler:
    cdef SamplerC c       # chain, grammar, matcher, leading lookbacks and backend are owned
    cdef void (*release)(void* sampler) noexcept nogil
    cdef void (*release_matcher)(void* matcher) noexcept nogil
    cdef readonly object constraint
    cdef int take_samplers(self, parts) except -1
    cdef int take_ends(self, ends, int32_t n_least) except -1
    cdef int take_constraint(self, Constraint constraint, int32_t n_vocab) except -1
    cdef int take_biases(self, biases, int32_t n_vocab) except -1

cdef void sampler_start(SamplerC* sampler, LlamaC* llama, const llama_token* history,
                        int32_t n_history) noexcept nogil
cdef llama_token sampler_sample(SamplerC* sampler, LlamaC* llama, float* logits, int32_t n_vocab,
                                const llama_token* history, int32_t n_history,
                                llama_token_data* scratch) noexcept nogil
cdef llama_token sampler_force(SamplerC* sampler, LlamaC* llama, const float* logits,
                               llama_token token, llama_token_data* scratch) noexcept nogil
cdef void sampler_accept(SamplerC* sampler, LlamaC* llama, llama_token token) noexcept nogil
cdef bint constraint_ended(const SamplerC* sampler) noexcept nogil
cdef int32_t likeliest_candidates(const SamplerC* sampler, int32_t n_best,
                                  llama_token_data* out) noexcept nogil
cdef int32_t best_candidates(const float* logits, int32_t n_vocab, int32_t n_best,
                             llama_token_data* out) noexcept nogil
cdef llama_token best_token(const float* logits, int32_t n_vocab) noexcept nogil
