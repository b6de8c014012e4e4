"""One request: what is known of it, what is computed, how it ended, and when."""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport INT32_MAX
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from .ngram cimport ngram_free
from .probs cimport probs_free
from .ratelimit cimport rate_of
from .reasoning cimport THOUGHT_AHEAD, is_thinking, reasoning_accept
from .sync cimport store_int
from .text cimport text_free, text_init, text_set_stop
from .types cimport MAX_DRAFT


cdef class Request:
    """A prompt and everything that its generation needs, in C.

    :param prompt: token ids [n_prompt], one at least; copied.
    :param n_predict: output tokens at most; 0 to compute the prompt only.
    :param n_predict_min: output tokens of which none completes a stop string; that none ends the
        generation is its sampler's to see to.
    :param n_ctx: prompt and output tokens at most; above n_prompt.
    :param context_shift: go on at `n_ctx`, without some of the tokens that it holds.
    :param n_keep: tokens that are never discarded; `n_ctx` - 4 at most count.
    :param n_discard: tokens behind them that are discarded at a time; 0 for half of what is there.
    :param stops: stop strings, encoded.
    :param priority_ns: nanoseconds by which it counts as older than it is.
    :param deadline_ns: nanoseconds after its submission at which it ends; 0 for never.
    :param n_indent: it ends where a line but the first begins with less white space.
    :param lines_ns: nanoseconds after its first token at which the next line break ends it; 0 for
        never.
    :param slot: the slot that it takes if that is idle; -1 for any.
    :param progress: events tell of the prompt tokens that are computed.
    :param n_probs: likeliest tokens that its events tell of beside each output token (`probs`); -1
        tells nothing.
    :param post_sampling: tell their probabilities after the samplers, not the model's own.
    :param n_draft_max: tokens that are drafted for a step of it at most; 0 for none.
    :param n_draft_min: a draft of fewer tokens is dropped.
    :param draft_p_min: a model that drafts stops before a token that is less probable.
    :param n_alike: requests of this prompt that are submitted together, this one included.
    :param starts_anew: start from nothing that others have computed; what it leaves is theirs.
    :param n_reuse: tokens at least of a chunk of the prompt that is taken from where a parked
        sequence has it (`reuse`); 0 takes none.
    :param key: what else the cells of its tokens depend on; only requests of the same key share a
        prefix.
    :param adapters: LoRA adapters that its rows are computed with, whose key is its key then; kept
        alive.
    :param bucket: what its output tokens are charged to; None for no limit.
    :param tokens_per_second: what that is to fill with once it is submitted; 0 leaves it as it is.
    :param reasoning: its own, if its output may begin with some; kept alive.
    :param sampler: its own; kept alive.
    :param vocab: with the pieces that its text is made of; kept alive.
    :param outbox: where its events go; kept alive.
    :param consumer: whatever the drainer wants to find on the request; see `consumer`.
    """

    def __cinit__(self, const int32_t[::1] prompt, *, int32_t n_predict, int32_t n_ctx,
                  bint context_shift=False, int32_t n_keep=0, int32_t n_discard=0, stops=(),
                  int64_t priority_ns=0, int64_t deadline_ns=0, bint progress=False,
                  int32_t n_predict_min=0, int32_t n_indent=0, int64_t lines_ns=0,
                  int32_t slot=-1, AdapterSet adapters=None, int32_t n_probs=-1,
                  bint post_sampling=False, int32_t n_draft_max=0, int32_t n_draft_min=0,
                  float draft_p_min=0, int32_t n_alike=1, bint starts_anew=False,
                  int32_t n_reuse=0, int64_t key=0,
                  Bucket bucket=None, double tokens_per_second=0, Reasoning reasoning=None,
                  Sampler sampler not None, Vocab vocab not None, Outbox outbox not None,
                  consumer=None):
        self.vocab = vocab
        self.sampler = sampler
        self.outbox = outbox
        self.consumer = consumer
        self.priority_ns = priority_ns
        self.deadline_ns = deadline_ns
        self.c.owner = <PyObject*> self
        self.c.sampler = &sampler.c
        self.c.outbox = &outbox.c
        self.c.vocab = &vocab.c
        self.c.n_predict = n_predict
        self.c.n_window = n_ctx
        self.c.key = key
        if adapters is not None:
            self.adapters = adapters
            self.c.adapters = &adapters.c
            self.c.key = adapters.c.key
        self.c.i_slot = self.c.i_last = self.c.i_row = -1
        self.c.i_preferred = slot
        self.c.n_predict_min = n_predict_min
        self.c.lines = LinesC(n_indent, lines_ns, -1)
        self.c.n_alike = n_alike
        self.c.tells_progress = progress
        self.c.starts_anew = starts_anew
        self.c.n_reuse = 0 if starts_anew else n_reuse
        self.c.n_draft_max = min(n_draft_max, <int32_t> MAX_DRAFT)
        self.c.n_draft_min = n_draft_min
        self.c.draft_p_min = draft_p_min
        self.c.probs.n_best = min(n_probs, vocab.c.n_tokens)
        self.c.probs.post_sampling = post_sampling
        if reasoning is not None:
            self.reasoning = reasoning
            self.c.reasoning = &reasoning.c
            heed_reasoning(&self.c)
        if context_shift:
            self.take_window(n_keep, n_discard)
        self.c.n_allowed = INT32_MAX
        self.take_bucket(bucket, tokens_per_second)
        self.take_prompt(prompt)
        self.take_stops(stops)

    def __dealloc__(self):
        ngram_free(&self.c.ngram)
        text_free(&self.c.text)
        probs_free(&self.c.probs)
        free(self.c.saved)
        free(self.c.history)
        free(self.c.tokens)

    cdef int take_window(self, int32_t n_keep, int32_t n_discard) except -1:
        """llama-server's bounds (`server_context`, "context-shift"): what is computed when a shift
        is due is all but one token of the context, and of that something stays behind `n_keep`."""
        cdef int32_t n_left
        self.c.n_keep = max(0, min(n_keep, self.c.n_window - 4))
        n_left = self.c.n_window - 1 - self.c.n_keep
        self.c.n_discard = max(0, min(n_discard or n_left // 2, n_left - 1))
        return 0

    cdef int take_bucket(self, Bucket bucket, double tokens_per_second) except -1:
        if bucket is not None and self.c.n_predict > 0:
            self.bucket = bucket
            self.c.bucket = &bucket.c
            self.c.bucket_rate = rate_of(tokens_per_second) if tokens_per_second else 0
        return 0

    cdef int take_prompt(self, const int32_t[::1] prompt) except -1:
        cdef int32_t i, n = <int32_t> len(prompt)
        cdef int64_t n_known
        if n == 0:
            raise ValueError("the prompt has no tokens")
        self.c.n_predict = min(self.c.n_predict, INT32_MAX - n)
        n_known = max(n, min(n + self.c.n_predict, self.c.n_window))
        self.c.tokens = <llama_token*> malloc((n_known + 1) * sizeof(llama_token))
        if self.c.tokens == NULL:
            raise MemoryError
        memcpy(self.c.tokens, &prompt[0], n * sizeof(llama_token))
        for i in range(n):
            if not 0 <= self.c.tokens[i] < self.vocab.c.n_tokens:
                raise ValueError(
                    f"token {self.c.tokens[i]} is not in a vocabulary of {self.vocab.c.n_tokens}")
        self.c.n_prompt = self.c.n_tokens = n
        return 0

    cdef int take_stops(self, stops) except -1:
        """Copy them, with room to hold the text of all tokens of a step."""
        cdef int32_t i, n_tokens = 1 + self.c.n_draft_max
        longest = max((len(stop) for stop in stops), default=0)
        if text_init(&self.c.text, len(stops), longest,
                     n_tokens * self.vocab.c.longest_piece) < 0:
            raise MemoryError
        for i, stop in enumerate(stops):
            if text_set_stop(&self.c.text, i, stop, len(stop)) < 0:
                raise MemoryError
        return 0

    cdef void open(self, int64_t now):
        """Start its clock, and have it held until its last event is drained."""
        self.c.t_submit = now
        self.c.rank = now - self.priority_ns
        if self.deadline_ns > 0:
            self.c.t_deadline = now + self.deadline_ns
        self.outbox.n_open += 1
        Py_INCREF(self)

    cdef void retract(self):
        """Undo `open`: nobody has taken it."""
        self.outbox.n_open -= 1
        Py_DECREF(self)

    def cancel(self):
        """End it at the next step boundary; for any thread, any number of times."""
        store_int(&self.c.cancelled, 1)

    def output_tokens(self):
        """The output so far as a list of token ids; with context shift, not before the end."""
        cdef int32_t i
        cdef const llama_token* tokens = history(&self.c)
        if self.c.n_discard > 0 and self.c.t_submit and not self.c.finish:
            raise RuntimeError("the request still runs, and a context shift may move its tokens")
        return [tokens[i] for i in range(self.c.n_prompt, n_history(&self.c))]

    @property
    def n_prompt(self):
        return self.c.n_prompt

    @property
    def n_cached(self):
        """Prompt tokens that did not have to be computed."""
        return self.c.n_cached

    @property
    def n_output(self):
        return n_output(&self.c)

    @property
    def n_reasoning(self):
        """Output tokens of its reasoning, the tags included."""
        if self.c.reasoning == NULL:
            return 0
        return min(self.c.reasoning.n_reasoning, n_output(&self.c))

    @property
    def n_drafted(self):
        """Tokens that were drafted for it and verified."""
        return self.c.n_drafted

    @property
    def n_draft_accepted(self):
        """Output tokens that had been drafted."""
        return self.c.n_draft_accepted

    @property
    def is_truncated(self):
        """Whether the context was too short: it shifted, or ended there."""
        return self.c.n_discarded > 0 or (self.c.n_discard == 0 and is_full(&self.c))

    @property
    def slot(self):
        """The slot that it got last; -1 before."""
        return self.c.i_last

    @property
    def finish(self):
        """How it ended (`FinishC`); 0 while it has not."""
        return self.c.finish

    @property
    def i_stop(self):
        """Index of the stop string that ended it, or -1."""
        return self.c.text.i_stop

    @property
    def times(self):
        """(submitted, admitted, first token, last token) in nanoseconds; 0 is not yet."""
        return self.c.t_submit, self.c.t_admit, self.c.t_first, self.c.t_last


cdef void heed_reasoning(RequestC* request) noexcept nogil:
    """Have the grammar wait for the end of the reasoning, which may or may not have begun."""
    request.sampler.waits = is_thinking(request.reasoning)
    request.sampler.opening_token = -1
    if request.reasoning.state == THOUGHT_AHEAD:
        request.sampler.opening_token = request.reasoning.opening_token


cdef void request_think(RequestC* request, llama_token token, const char* piece,
                        int32_t n_bytes) noexcept nogil:
    """Tell the reasoning, which there is, of a token that was sampled; its bytes are `piece`."""
    reasoning_accept(request.reasoning, token, piece, n_bytes)
    heed_reasoning(request)


cdef int request_append(RequestC* request, llama_token token) noexcept nogil:
    """Add an output token to what is known, which is not full; -1 if memory is short."""
    if request.history != NULL:
        if reserve(request, 1) < 0:
            return -1
        request.history[n_history(request)] = token
    request.tokens[request.n_tokens] = token
    request.n_tokens += 1
    return 0


cdef int request_draft(RequestC* request, const llama_token* tokens, int32_t n) noexcept nogil:
    """Put a draft behind what is known, in place of another; -1, with none, if memory is short.

    :param tokens: ids of the vocabulary [n]; no part of the request.
    :param n: of them, `n_draftable` count at most.
    """
    request.n_draft = 0
    n = min(n, n_draftable(request))
    if request.history != NULL:
        if reserve(request, n) < 0:
            return -1
        memcpy(request.history + n_history(request), tokens, n * sizeof(llama_token))
    memcpy(request.tokens + request.n_tokens, tokens, n * sizeof(llama_token))
    request.n_draft = n
    return 0


cdef int reserve(RequestC* request, int32_t n_more) noexcept nogil:
    """Have room for more tokens behind the history, which there is; -1 if memory is short."""
    cdef size_t n = <size_t> n_history(request) + n_more
    cdef void* grown
    if n <= <size_t> request.n_reserved:
        return 0
    n = min(max(n, 2 * <size_t> request.n_reserved), <size_t> INT32_MAX)
    grown = realloc(request.history, n * sizeof(llama_token))
    if grown == NULL:
        return -1
    request.history = <llama_token*> grown
    request.n_reserved = <int32_t> n
    return 0


cdef int request_discard(RequestC* request) noexcept nogil:
    """Take `n_discard` tokens behind the first `n_keep` out of what is known; -1, with nothing
    changed, if memory is short."""
    cdef llama_token* kept = request.tokens + request.n_keep
    cdef size_t n = request.n_tokens
    if request.history == NULL:
        request.history = <llama_token*> malloc(2 * n * sizeof(llama_token))
        if request.history == NULL:
            return -1
        request.n_reserved = <int32_t> min(2 * n, <size_t> INT32_MAX)
        memcpy(request.history, request.tokens, n * sizeof(llama_token))
    request.n_tokens -= request.n_discard
    request.n_discarded += request.n_discard
    n = request.n_tokens - request.n_keep
    memmove(kept, kept + request.n_discard, n * sizeof(llama_token))
    return 0
