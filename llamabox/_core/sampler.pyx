"""Choosing a token: prune the raw logits, let llama.cpp's own chain finish on the survivors.

The chain sees the same candidates with the same logits as it would keep of the whole vocabulary,
so a seed gives the same token as llama.cpp's `common_sampler`. Where that cannot be said of an
order of samplers (`chain.Builder.plan`), nothing is pruned. A greedy request takes the lowest of
equally good tokens, of which llama.cpp takes any.
"""
import ctypes

from libc.math cimport INFINITY, fabsf, log
from libc.stdint cimport INT32_MAX, uint32_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, qsort

from .guidance cimport Constraint, matcher_allows, matcher_candidates
from .lib cimport Library
from .sync cimport thread_ns

from .backend_chain import backend_chain
from .chain import build_parts
from .lib import function_address

cdef extern from "sampler_select.h" nogil:
    ctypedef struct candidate_t:
        pass
    int32_t select_best(const float* x, int32_t n)
    int32_t select_top_k(const float* x, int32_t n, int32_t k, float temperature,
                         candidate_t* out)
    int32_t select_at_least(const float* x, int32_t n, float threshold, candidate_t* out)
    int32_t select_all(const float* x, int32_t n, candidate_t* out)

cdef float PRUNE_MARGIN = 1e-3   # of a logit
cdef float ROUNDING = 1e-5       # relative: what floats may lose on the way through the chain

# Nanoseconds of a thread that llama.cpp's grammar may take: to look at one token, or to go on with
# it, and to look at all of them. What it follows may double with each character of an output, so
# that nothing else would bound it.
cdef int64_t TOKEN_NS = 100_000_000
cdef int64_t MASK_NS = 1_000_000_000


cdef class Sampler:
    """The samplers of one request, with their RNGs and what they remember of the tokens.

    :param binding: the module `llama_cpp`, which constructs the llama.cpp samplers.
    :param n_vocab: tokens in the vocabulary.
    :param n_ctx: the look-back that -1 stands for, and the longest there is.
    :param params: a `GenerationParams`, or anything with its sampling fields.
    :param seed: of its RNGs; that of `params`, which is a real one then, if it is left out.
    :param banned: tokens that are never sampled.
    :param ends: tokens that are not sampled as one of the first `n_least` of the output, whose
        tokens before that are what `start` tells.
    :param constraint: a compiled `Constraint` that its tokens keep to; kept alive.
    :param backend: make the chain for llama.cpp to run beside the model too, if that can be.
    :param make_dry: as that of `build_parts`.
    :param vocab: address of the `llama_vocab`; without it there is no DRY, infill or grammar, and
        tokens that the model suppresses are not known.
    :raises InvalidRequest: the grammar does not parse, or a biased token does not exist.
    """

    def __cinit__(self, binding, int32_t n_vocab, int32_t n_ctx, params, banned=(), *,
                  vocab=None, Constraint constraint=None, bint backend=False, ends=(),
                  int32_t n_least=0, seed=None, make_dry=None):
        self.release = <void (*)(void*) noexcept nogil> <uintptr_t> function_address(
            binding, "llama_sampler_free")
        parts = build_parts(
            binding, params, n_vocab=n_vocab, n_ctx=n_ctx, banned=banned, vocab=vocab,
            is_constrained=constraint is not None, seed=seed, make_dry=make_dry)
        self.c.opening_token = -1
        self.c.prune = parts.prune
        self.c.top_k = params.top_k
        self.c.min_keep = params.min_keep
        self.c.temperature = parts.temperature
        if self.c.prune == PRUNE_MIN_P:
            self.c.min_p_width = -log(params.min_p) * parts.temperature
            self.c.min_p_margin = PRUNE_MARGIN * max(1.0, parts.temperature)
        self.take_samplers(parts)
        if constraint is not None:
            self.take_constraint(constraint, n_vocab)
        made = backend and constraint is None and backend_chain(
            binding, params, parts, n_vocab=n_vocab, n_ctx=n_ctx,
            seed=params.seed if seed is None else seed)
        if made:
            self.c.backend = address_of(made[0])
            self.c.backend_key = made[1]
        self.take_ends(ends, n_least)
        self.take_biases(parts.biases, n_vocab)

    def __dealloc__(self):
        # Through C alone: the garbage collector may have cleared any Python object held here.
        cdef int32_t i
        if self.c.chain != NULL:
            self.release(self.c.chain)
        if self.c.grammar != NULL:
            self.release(self.c.grammar)
        if self.c.matcher != NULL:
            self.release_matcher(self.c.matcher)
        if self.c.backend != NULL:
            self.release(self.c.backend)
        for i in range(self.c.n_lookbacks):
            if self.c.lookbacks[i].leads:
                self.release(self.c.lookbacks[i].sampler)
        free(self.c.lookbacks)
        free(self.c.ends)
        free(self.c.biases)
        free(self.c.edits)

    cdef int take_samplers(self, parts) except -1:
        cdef int32_t i
        self.c.chain = address_of(parts.chain)
        self.c.grammar = address_of(parts.grammar)
        self.c.lookbacks = <LookbackC*> calloc(len(parts.lookbacks) + 1, sizeof(LookbackC))
        if self.c.lookbacks == NULL:
            raise MemoryError
        for i, part in enumerate(parts.lookbacks):
            self.c.lookbacks[i] = LookbackC(address_of(part.sampler), part.last_n, part.leads)
        self.c.n_lookbacks = len(parts.lookbacks)
        return 0

    cdef int take_ends(self, ends, int32_t n_least) except -1:
        cdef int32_t i
        if n_least <= 0:
            return 0
        self.c.ends = <llama_token*> calloc(len(ends) + 1, sizeof(llama_token))
        if self.c.ends == NULL:
            raise MemoryError
        for i, token in enumerate(ends):
            self.c.ends[i] = token
        self.c.n_ends = len(ends)
        self.c.n_least = n_least
        return 0

    cdef int take_constraint(self, Constraint constraint, int32_t n_vocab) except -1:
        if constraint.n_tokens != n_vocab:
            raise ValueError("the constraint is of another vocabulary")
        self.constraint = constraint
        self.c.guidance = &constraint.library.c
        self.release_matcher = constraint.library.c.free_matcher
        self.c.matcher = constraint.library.c.clone_matcher(constraint.matcher)
        if self.c.matcher == NULL:
            raise MemoryError
        return 0

    cdef int take_biases(self, biases, int32_t n_vocab) except -1:
        """Copy them, and make room for the edits that a choice may need."""
        cdef int32_t i
        cdef size_t n_edits = len(biases) + self.c.n_ends
        for i in range(self.c.n_lookbacks):
            if self.c.lookbacks[i].leads:
                n_edits += min(self.c.lookbacks[i].last_n, n_vocab)
        self.c.edits = <TokenLogitC*> malloc((n_edits + 1) * sizeof(TokenLogitC))
        self.c.biases = <TokenLogitC*> malloc((len(biases) + 1) * sizeof(TokenLogitC))
        if self.c.edits == NULL or self.c.biases == NULL:
            raise MemoryError
        for i, (token, bias) in enumerate(biases):
            self.c.biases[i] = TokenLogitC(token, bias)
        self.c.n_biases = len(biases)
        return 0

    def start(self, Library library, const int32_t[::1] history):
        """Tell the samplers a prompt."""
        if len(history) > 0:
            sampler_start(&self.c, &library.c, &history[0], <int32_t> len(history))

    def sample(self, Library library, float[::1] logits, const int32_t[::1] history):
        """Sample from `logits` [n_vocab], and accept; -1 if none that may be is above -inf."""
        token, _ = self.sample_probs(library, logits, history, 0)
        return token

    def sample_probs(self, Library library, float[::1] logits, const int32_t[::1] history,
                     int32_t n_best):
        """`sample`, with what it was chosen from.

        Returns the token and the `n_best` likeliest candidates as (token, probability) pairs, in
        the distribution that was sampled from; those of no probability are left out.
        """
        cdef size_t room = max(len(logits), len(history))
        cdef const llama_token* tokens = &history[0] if len(history) > 0 else NULL
        cdef llama_token_data* scratch = <llama_token_data*> malloc(
            room * sizeof(llama_token_data))
        cdef llama_token_data* best = <llama_token_data*> malloc(
            (n_best + 1) * sizeof(llama_token_data))
        cdef int32_t i, n = 0
        try:
            if scratch == NULL or best == NULL:
                raise MemoryError
            token = sampler_sample(&self.c, &library.c, &logits[0], <int32_t> len(logits), tokens,
                                   <int32_t> len(history), scratch)
            if token >= 0:
                n = likeliest_candidates(&self.c, n_best, best)
            return token, [(best[i].id, best[i].p) for i in range(n)]
        finally:
            free(scratch)
            free(best)


cdef void* address_of(pointer):
    if pointer is None:
        return NULL
    return <void*> <uintptr_t> ctypes.cast(pointer, ctypes.c_void_p).value


cdef void sampler_start(SamplerC* sampler, LlamaC* llama, const llama_token* history,
                        int32_t n_history) noexcept nogil:
    """Tell the samplers that look back the end of the prompt, and where the output begins."""
    cdef int32_t i, j
    sampler.n_least = min(sampler.n_least, INT32_MAX - n_history) + n_history
    for i in range(sampler.n_lookbacks):
        for j in range(max(0, n_history - sampler.lookbacks[i].last_n), n_history):
            llama.sampler_accept(sampler.lookbacks[i].sampler, history[j])
            if sampler.backend != NULL:
                llama.sampler_accept(sampler.backend, history[j])


cdef llama_token sampler_sample(SamplerC* sampler, LlamaC* llama, float* logits, int32_t n_vocab,
                                const llama_token* history, int32_t n_history,
                                llama_token_data* scratch) noexcept nogil:
    """Sample a token and accept it.

    `logits` [n_vocab] are written to meanwhile, and then as before. `history` is what is known
    before the token, `scratch` has room for n_vocab and for n_history candidates;
    `sampler.candidates` lie in it afterwards. Returns -1 if no token that may be has a logit
    above -inf, or if the sampler has failed.
    """
    cdef llama_token token
    if sampler.has_failed:
        return -1
    lead(sampler, llama, logits, history, n_history, scratch)
    token = choose(sampler, llama, prune(sampler, logits, n_vocab, scratch), scratch)
    if token >= 0 and not fits(sampler, llama, token):
        if token == sampler.opening_token:
            sampler.waits = True
        else:
            token = choose_fitting(sampler, llama, logits, n_vocab, scratch)
    while sampler.n_edits > 0:
        sampler.n_edits -= 1
        logits[sampler.edits[sampler.n_edits].token] = sampler.edits[sampler.n_edits].logit
    if sampler.has_failed:
        return -1
    if token >= 0:
        sampler_accept(sampler, llama, token)
    return token


cdef llama_token sampler_force(SamplerC* sampler, LlamaC* llama, const float* logits,
                               llama_token token, llama_token_data* scratch) noexcept nogil:
    """Take a token as if it had been sampled, as the only candidate; parameters as above."""
    scratch[0] = llama_token_data(token, logits[token], 1)
    sampler.candidates = llama_token_data_array(data=scratch, size=1, selected=0, sorted=False)
    sampler_accept(sampler, llama, token)
    return token


cdef void sampler_accept(SamplerC* sampler, LlamaC* llama, llama_token token) noexcept nogil:
    """Tell all that sample on the host which token was chosen."""
    cdef int32_t i
    cdef int64_t started
    for i in range(sampler.n_lookbacks):
        if sampler.lookbacks[i].leads:
            llama.sampler_accept(sampler.lookbacks[i].sampler, token)
    if sampler.chain != NULL:
        llama.sampler_accept(sampler.chain, token)
    if sampler.waits:
        return
    # A failure shows at the next token, for which there are no candidates then.
    if sampler.grammar != NULL:
        started = thread_ns()
        llama.sampler_accept(sampler.grammar, token)
        if thread_ns() - started > TOKEN_NS:
            sampler.has_failed = True
    if sampler.matcher != NULL:
        sampler.guidance.matcher_consume_token(sampler.matcher, <uint32_t> token)


cdef void lead(SamplerC* sampler, LlamaC* llama, float* logits, const llama_token* history,
               int32_t n_history, llama_token_data* scratch) noexcept nogil:
    """What changes the logits of a few tokens, before all else: biases, then looking back."""
    cdef int32_t i
    cdef TokenLogitC* bias
    if n_history < sampler.n_least:
        for i in range(sampler.n_ends):
            edit(sampler, logits, sampler.ends[i], -INFINITY)
    for i in range(sampler.n_biases):
        bias = &sampler.biases[i]
        edit(sampler, logits, bias.token, logits[bias.token] + bias.logit)
    for i in range(sampler.n_lookbacks):
        if sampler.lookbacks[i].leads:
            look_back(sampler, &sampler.lookbacks[i], llama, logits, history, n_history, scratch)


cdef inline void edit(SamplerC* sampler, float* logits, llama_token token,
                      float logit) noexcept nogil:
    sampler.edits[sampler.n_edits] = TokenLogitC(token, logits[token])
    sampler.n_edits += 1
    logits[token] = logit


cdef void look_back(SamplerC* sampler, LookbackC* lookback, LlamaC* llama, float* logits,
                    const llama_token* history, int32_t n_history,
                    llama_token_data* scratch) noexcept nogil:
    """Apply llama.cpp's penalties or DRY to the tokens they look back at; others have none."""
    cdef int32_t i, n = min(n_history, lookback.last_n)
    cdef const llama_token* window = history + n_history - n
    cdef llama_token_data_array candidates
    for i in range(n):
        scratch[i] = llama_token_data(window[i], logits[window[i]], 0)
    candidates = llama_token_data_array(data=scratch, size=n, selected=-1, sorted=False)
    llama.sampler_apply(lookback.sampler, &candidates)
    for i in range(n):
        if scratch[i].logit < logits[window[i]] or scratch[i].logit > logits[window[i]]:
            edit(sampler, logits, window[i], scratch[i].logit)


cdef int32_t prune(SamplerC* sampler, float* logits, int32_t n_vocab,
                   llama_token_data* scratch) noexcept nogil:
    """Write the candidates that can still be chosen to `scratch`; returns how many."""
    cdef candidate_t* out = <candidate_t*> scratch
    cdef int32_t best
    if sampler.prune == PRUNE_TOP_K:
        return select_top_k(logits, n_vocab, sampler.top_k, sampler.temperature, out)
    if sampler.prune == PRUNE_NONE:
        return select_all(logits, n_vocab, out)
    best = select_best(logits, n_vocab)
    if best < 0:
        return 0
    if sampler.prune == PRUNE_MIN_P:
        return prune_min_p(sampler, logits, n_vocab, logits[best], scratch)
    scratch[0] = llama_token_data(best, logits[best], 1)
    return 1


cdef int32_t prune_min_p(SamplerC* sampler, float* logits, int32_t n_vocab, float best,
                         llama_token_data* scratch) noexcept nogil:
    """What min_p keeps, and a little more; all, if that is less than it must keep."""
    cdef float margin = sampler.min_p_margin + ROUNDING * fabsf(best)
    cdef float cut = best - sampler.min_p_width
    cdef int32_t i, n_kept = 0
    cdef int32_t n = select_at_least(logits, n_vocab, cut - margin, <candidate_t*> scratch)
    if sampler.min_keep > 1:
        for i in range(n):
            n_kept += scratch[i].logit > cut + margin
        if n_kept < sampler.min_keep:
            return select_all(logits, n_vocab, <candidate_t*> scratch)
    return n


cdef llama_token choose(SamplerC* sampler, LlamaC* llama, int32_t n,
                        llama_token_data* scratch) noexcept nogil:
    """One of `n` candidates, by the chain; -1 if there is none above -inf."""
    cdef llama_token_data_array* candidates = &sampler.candidates
    cdef int32_t i, best = 0
    candidates[0] = llama_token_data_array(data=scratch, size=n, selected=-1, sorted=False)
    if n == 0:
        return -1
    if sampler.chain != NULL:
        llama.sampler_apply(sampler.chain, candidates)
        if candidates.selected < 0:
            return -1
    else:
        for i in range(1, n):
            if scratch[i].logit > scratch[best].logit:
                best = i
        scratch[0] = llama_token_data(scratch[best].id, scratch[best].logit, 1)
        candidates.size = 1
        candidates.selected = 0
    if not candidates.data[candidates.selected].logit > -INFINITY:
        return -1
    return candidates.data[candidates.selected].id


cdef bint fits(SamplerC* sampler, LlamaC* llama, llama_token token) noexcept nogil:
    """Whether the constraints of the request, if there are any that hold now, allow `token`."""
    if sampler.waits:
        return True
    if sampler.grammar != NULL and not fits_grammar(sampler, llama, token):
        return False
    return sampler.matcher == NULL or matcher_allows(sampler.guidance, sampler.matcher, token)


cdef bint fits_grammar(SamplerC* sampler, LlamaC* llama, llama_token token) noexcept nogil:
    cdef llama_token_data alone = llama_token_data(token, 1, 0)
    cdef llama_token_data_array candidates = llama_token_data_array(
        data=&alone, size=1, selected=-1, sorted=False)
    apply_grammar(sampler, llama, &candidates, TOKEN_NS)
    return alone.logit > -INFINITY


cdef void apply_grammar(SamplerC* sampler, LlamaC* llama, llama_token_data_array* candidates,
                        int64_t most_ns) noexcept nogil:
    """Have llama.cpp's grammar reject candidates; if that takes longer, the sampler has failed."""
    cdef int64_t started = thread_ns()
    llama.sampler_apply(sampler.grammar, candidates)
    if thread_ns() - started > most_ns:
        sampler.has_failed = True


cdef llama_token choose_fitting(SamplerC* sampler, LlamaC* llama, float* logits, int32_t n_vocab,
                                llama_token_data* scratch) noexcept nogil:
    """Choose again, among all tokens that are allowed (`common_sampler_sample`); -1 if none is."""
    cdef llama_token_data_array candidates
    cdef llama_token token
    cdef int32_t n
    if sampler.has_failed:
        return -1
    if sampler.matcher != NULL:
        n = matcher_candidates(sampler.guidance, sampler.matcher, logits, n_vocab, scratch)
    else:
        n = select_all(logits, n_vocab, <candidate_t*> scratch)
    if sampler.grammar == NULL:
        return choose(sampler, llama, n, scratch)
    candidates = llama_token_data_array(data=scratch, size=n, selected=-1, sorted=False)
    apply_grammar(sampler, llama, &candidates, MASK_NS)
    token = choose(sampler, llama, n, scratch)
    return token if token >= 0 and fits_grammar(sampler, llama, token) else -1


cdef bint constraint_ended(const SamplerC* sampler) noexcept nogil:
    """Of a sampler that found no token: whether its constraint is fulfilled, which nothing tells of
    llama.cpp's grammars."""
    if sampler.has_failed:
        return False
    if sampler.matcher != NULL:
        return sampler.guidance.matcher_is_accepting(sampler.matcher)
    return sampler.grammar != NULL


cdef int32_t likeliest_candidates(const SamplerC* sampler, int32_t n_best,
                                  llama_token_data* out) noexcept nogil:
    """Write the `n_best` likeliest of `sampler.candidates` to `out`, the likeliest first.

    Their `p` is the probability they were sampled with, after all filters. Returns how many have
    any.
    """
    cdef const llama_token_data* candidate
    cdef int32_t j, n = 0
    cdef size_t i
    for i in range(sampler.candidates.size):
        candidate = &sampler.candidates.data[i]
        if not candidate.p > 0 or (n == n_best and (n == 0 or out[n - 1].p >= candidate.p)):
            continue
        n = min(n + 1, n_best)
        j = n - 1
        while j > 0 and out[j - 1].p < candidate.p:
            out[j] = out[j - 1]
            j -= 1
        out[j] = candidate[0]
    return n


cdef int32_t best_candidates(const float* logits, int32_t n_vocab, int32_t n_best,
                             llama_token_data* out) noexcept nogil:
    """Write the `n_best` largest of `logits` to `out`, which has room for n_vocab, best first.

    Returns how many there are: n_vocab at most.
    """
    cdef int32_t n, n_found = min(n_best, n_vocab)
    if n_found <= 0:
        return 0
    n = select_top_k(logits, n_vocab, n_found, 1, <candidate_t*> out)
    qsort(out, n, sizeof(llama_token_data), by_logit)
    return n_found


cdef llama_token best_token(const float* logits, int32_t n_vocab) noexcept nogil:
    """The lowest of the tokens with the largest logit; -1 if none is above -inf."""
    return select_best(logits, n_vocab)


cdef int by_logit(const void* a, const void* b) noexcept nogil:
    cdef const llama_token_data* left = <const llama_token_data*> a
    cdef const llama_token_data* right = <const llama_token_data*> b
    if left.logit != right.logit:
        return -1 if left.logit > right.logit else 1
    return -1 if left.id < right.id else 1
