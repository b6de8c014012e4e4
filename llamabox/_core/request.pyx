"""One request: what is known of it, what is computed, how it ended, and when."""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from .probs cimport probs_free
from .sync cimport store_int
from .text cimport text_free, text_init, text_set_stop


cdef class Request:
    """A prompt and everything that its generation needs, in C.

    :param prompt: token ids [n_prompt], one at least; copied.
    :param n_limit: prompt and output tokens at most; above n_prompt, or n_prompt to compute the
        prompt only.
    :param stops: stop strings, encoded.
    :param priority_ns: nanoseconds by which it counts as older than it is.
    :param deadline_ns: nanoseconds after its submission at which it ends; 0 for never.
    :param n_probs: likeliest tokens that its events tell of beside each output token (`probs`); -1
        tells nothing.
    :param post_sampling: tell their probabilities after the samplers, not the model's own.
    :param n_alike: requests of this prompt that are submitted together, this one included.
    :param key: what else the cells of its tokens depend on, such as adapters; only requests of the
        same key share a prefix.
    :param sampler: its own; kept alive.
    :param vocab: kept alive.
    :param outbox: where its events go; kept alive.
    :param consumer: whatever the drainer wants to find on the request; see `consumer`.
    """

    def __cinit__(self, const int32_t[::1] prompt, *, int32_t n_limit, stops=(),
                  int64_t priority_ns=0, int64_t deadline_ns=0, int32_t n_probs=-1,
                  bint post_sampling=False, int32_t n_alike=1, int64_t key=0,
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
        self.c.n_limit = n_limit
        self.c.key = key
        self.c.i_slot = self.c.i_row = -1
        self.c.n_alike = n_alike
        self.c.probs.n_best = min(n_probs, vocab.c.n_tokens)
        self.c.probs.post_sampling = post_sampling
        self.take_prompt(prompt)
        self.take_stops(stops)

    def __dealloc__(self):
        text_free(&self.c.text)
        probs_free(&self.c.probs)
        free(self.c.saved)
        free(self.c.tokens)

    cdef int take_prompt(self, const int32_t[::1] prompt) except -1:
        cdef int32_t i, n = <int32_t> len(prompt)
        if n == 0:
            raise ValueError("the prompt has no tokens")
        self.c.tokens = <llama_token*> malloc((max(n, self.c.n_limit) + 1) * sizeof(llama_token))
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
        cdef int32_t i
        longest = max((len(stop) for stop in stops), default=0)
        if text_init(&self.c.text, len(stops), longest, self.vocab.c.longest_piece) < 0:
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
        """The output so far as a list of token ids."""
        cdef int32_t i
        return [self.c.tokens[i] for i in range(self.c.n_prompt, self.c.n_tokens)]

    @property
    def n_prompt(self):
        return self.c.n_prompt

    @property
    def n_cached(self):
        """Prompt tokens that did not have to be computed."""
        return self.c.n_cached

    @property
    def n_output(self):
        return self.c.n_tokens - self.c.n_prompt

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
