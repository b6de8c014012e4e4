"""Choosing a token: prune the raw logits, let llama.cpp's own chain finish on the survivors.

The chain sees the same candidates with the same logits as it would keep of the whole vocabulary,
so a seed gives the same token as llama.cpp's chain over the full array. Where that cannot be said
of an order of filters, nothing is pruned. Exactly equal logits at the edge of top_k are the one
exception: llama.cpp does not define which of them stay, and neither does this.
"""
import ctypes

from libc.math cimport INFINITY, log
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc

from .lib cimport Library
from .llama cimport llama_token_data_array

cdef extern from "sampler_select.h" nogil:
    ctypedef struct candidate_t:
        pass
    int32_t select_best(const float* x, int32_t n)
    int32_t select_top_k(const float* x, int32_t n, int32_t k, candidate_t* out)
    int32_t select_top_k_capacity(int32_t k, int32_t n)
    int32_t select_at_least(const float* x, int32_t n, float threshold, candidate_t* out)

cdef float PRUNE_MARGIN = 1e-3  # of a logit: the chain's own min_p has the last word


cdef class Sampler:
    """The sampler of one request, with its own RNG and penalty window.

    Filters run in the order penalties, top_k, top_p, min_p, temperature.

    :param binding: the module `llama_cpp`, which constructs the llama.cpp samplers.
    :param n_vocab: tokens in the vocabulary.
    :param n_ctx: the look-back that `repeat_last_n=-1` stands for.
    :param params: a `GenerationParams`, or anything with its sampling fields and a real seed.
    :param banned: tokens that are never sampled.
    """

    def __cinit__(self, binding, int32_t n_vocab, int32_t n_ctx, params, banned=()):
        self.release = <void (*)(void*) noexcept nogil> address_of(binding.llama_sampler_free)
        self.c.top_k = params.top_k
        self.ban(banned)
        last_n = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        penalised = (params.repeat_penalty, params.frequency_penalty,
                     params.presence_penalty) != (1.0, 0.0, 0.0)
        if penalised and last_n > 0:
            self.c.penalty_last_n = last_n
            self.c.penalties = address_of(binding.llama_sampler_init_penalties(
                n_vocab, last_n, params.repeat_penalty, params.frequency_penalty,
                params.presence_penalty))
        if params.temperature <= 0:
            self.c.prune = PRUNE_GREEDY
            return
        self.c.chain = address_of(build_chain(binding, params))
        if 0 < params.top_k < n_vocab:
            self.c.prune = PRUNE_TOP_K
        elif params.min_p > 0 and params.top_p >= 1:
            self.c.prune = PRUNE_MIN_P
            self.c.min_p_width = <float> -log(params.min_p) + PRUNE_MARGIN
        else:
            self.c.prune = PRUNE_NONE

    def __dealloc__(self):
        # Through C alone: the garbage collector may have cleared any Python object held here.
        if self.c.chain != NULL:
            self.release(self.c.chain)
        if self.c.penalties != NULL:
            self.release(self.c.penalties)
        free(self.c.banned)

    cdef int ban(self, tokens) except -1:
        cdef int32_t i
        self.c.banned = <llama_token*> malloc((len(tokens) + 1) * sizeof(llama_token))
        if self.c.banned == NULL:
            raise MemoryError
        for i, token in enumerate(tokens):
            self.c.banned[i] = token
        self.c.n_banned = len(tokens)
        return 0

    def start(self, Library library, const int32_t[::1] history):
        """Fill the penalty window from a prompt."""
        if len(history) > 0:
            sampler_start(&self.c, &library.c, &history[0], <int32_t> len(history))

    def sample(self, Library library, float[::1] logits, const int32_t[::1] history):
        """Sample from `logits` [n_vocab], changed in place; -1 if none is above -inf."""
        cdef size_t room = max(len(logits), len(history))
        cdef const llama_token* tokens = &history[0] if len(history) > 0 else NULL
        cdef llama_token_data* scratch = <llama_token_data*> malloc(
            room * sizeof(llama_token_data))
        if scratch == NULL:
            raise MemoryError
        token = sampler_sample(&self.c, &library.c, &logits[0], <int32_t> len(logits), tokens,
                               <int32_t> len(history), scratch)
        free(scratch)
        return token


cdef void* address_of(pointer) except NULL:
    return <void*> <uintptr_t> ctypes.cast(pointer, ctypes.c_void_p).value


def build_chain(binding, params):
    """llama.cpp's filters after the penalties, and its RNG; the caller owns it."""
    chain = binding.llama_sampler_chain_init(binding.llama_sampler_chain_default_params())
    for sampler in (
        binding.llama_sampler_init_top_k(params.top_k),
        binding.llama_sampler_init_top_p(params.top_p, 0),
        binding.llama_sampler_init_min_p(params.min_p, 0),
        binding.llama_sampler_init_temp(params.temperature),
        binding.llama_sampler_init_dist(params.seed),
    ):
        binding.llama_sampler_chain_add(chain, sampler)
    return chain


cdef void sampler_start(SamplerC* sampler, LlamaC* llama, const llama_token* history,
                        int32_t n_history) noexcept nogil:
    """Fill the penalty window from the prompt."""
    cdef int32_t i
    if sampler.penalties != NULL:
        for i in range(max(0, n_history - sampler.penalty_last_n), n_history):
            llama.sampler_accept(sampler.penalties, history[i])


cdef llama_token sampler_sample(SamplerC* sampler, LlamaC* llama, float* logits, int32_t n_vocab,
                                const llama_token* history, int32_t n_history,
                                llama_token_data* scratch) noexcept nogil:
    """Sample a token and accept it.

    `logits` [n_vocab] are changed in place for penalised and banned tokens. `history` is what is
    known before the token, `scratch` has room for n_vocab and for n_history candidates. Returns
    -1 if no token has a logit above -inf.
    """
    cdef int32_t i, n
    cdef llama_token token
    cdef llama_token_data_array candidates
    if sampler.penalties != NULL:
        penalise(sampler, llama, logits, history, n_history, scratch)
    for i in range(sampler.n_banned):
        logits[sampler.banned[i]] = -INFINITY
    if sampler.prune == PRUNE_GREEDY:
        token = select_best(logits, n_vocab)
    else:
        n = prune(sampler, logits, n_vocab, scratch)
        if n == 0:
            return -1
        candidates = llama_token_data_array(data=scratch, size=n, selected=-1, sorted=False)
        llama.sampler_apply(sampler.chain, &candidates)
        if candidates.selected < 0 or candidates.data[candidates.selected].logit == -INFINITY:
            return -1
        token = candidates.data[candidates.selected].id
        llama.sampler_accept(sampler.chain, token)
    if sampler.penalties != NULL and token >= 0:
        llama.sampler_accept(sampler.penalties, token)
    return token


cdef void penalise(SamplerC* sampler, LlamaC* llama, float* logits, const llama_token* history,
                   int32_t n_history, llama_token_data* scratch) noexcept nogil:
    """Apply llama.cpp's penalties to the tokens of the window alone; others have none."""
    cdef int32_t i, n = min(n_history, sampler.penalty_last_n)
    cdef const llama_token* window = history + n_history - n
    cdef llama_token_data_array candidates
    for i in range(n):
        scratch[i] = llama_token_data(window[i], logits[window[i]], 0)
    candidates = llama_token_data_array(data=scratch, size=n, selected=-1, sorted=False)
    llama.sampler_apply(sampler.penalties, &candidates)
    for i in range(n):
        logits[scratch[i].id] = scratch[i].logit


cdef int32_t prune(SamplerC* sampler, float* logits, int32_t n_vocab,
                   llama_token_data* scratch) noexcept nogil:
    """Write the candidates that the chain can still choose to `scratch`; returns how many."""
    cdef candidate_t* out = <candidate_t*> scratch
    cdef int32_t best
    if sampler.prune == PRUNE_TOP_K:
        return select_top_k(logits, n_vocab, sampler.top_k, out)
    if sampler.prune == PRUNE_MIN_P:
        best = select_best(logits, n_vocab)
        if best < 0:
            return 0
        return select_at_least(logits, n_vocab, logits[best] - sampler.min_p_width, out)
    return select_at_least(logits, n_vocab, -INFINITY, out)
