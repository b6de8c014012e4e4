"""What comes out of a step: a token for each output row, its text, the events that tell of it."""
from libc.stdlib cimport calloc, free, qsort

from .lines cimport lines_late, lines_push
from .llama cimport LlamaC
from .outbox cimport EventC, OutboxC, events_append, events_clear, events_free, outbox_notify
from .pool cimport fail
from .probs cimport probs_add
from .ratelimit cimport bucket_charge
from .reasoning cimport forced_token
from .request cimport (
    Request,
    history,
    is_full,
    n_history,
    n_output,
    needs_shift,
    request_append,
    request_think,
)
from .sampler cimport SamplerC, constraint_ended, sampler_force, sampler_sample
from .slots cimport SlotC
from .stats cimport histogram_observe
from .sync cimport now_ns, pthread_mutex_lock, pthread_mutex_unlock
from .text cimport text_push, text_release
from .types cimport FINISH_EOG, FINISH_LENGTH, FINISH_NO_TOKEN, FINISH_NONE, FINISH_STOP
from .vocab cimport VocabC


# What it takes until a helper runs, and until the step thread knows that it is done: 50 us each.
cdef int64_t WAKE_NS = 100_000
cdef int64_t UNSURPRISING_NS = 20_000


cdef class Output:
    """The output of one scheduler's requests.

    :param n_slots: rows of a step at most.
    :param n_threads: threads that sample, the step thread among them.
    :param backend: samples some rows before they come here.
    """

    def __cinit__(self, Context context not None, Vocab vocab not None, int32_t n_slots,
                  int32_t n_threads, Backend backend not None):
        cdef size_t n_scratch = max(vocab.c.n_tokens, context.n_ctx)
        self.context = context
        self.vocab = vocab
        self.backend = backend
        self.crew = Crew(n_threads - 1, n_scratch)
        self.wake_ns = WAKE_NS
        self.rows = <RowC*> calloc(n_slots, sizeof(RowC))
        self.scratch = <llama_token_data*> calloc(n_scratch, sizeof(llama_token_data))
        if self.rows == NULL or self.scratch == NULL:
            raise MemoryError

    def __dealloc__(self):
        events_free(&self.events)
        free(self.scratch)
        free(self.rows)

    cdef void choose(self, Slots slots) noexcept nogil:
        """Sample for each slot that has output rows in the last batch."""
        cdef int32_t n_helpers
        self.gather(slots)
        n_helpers = self.n_helpers()
        if n_helpers > 0:
            qsort(self.rows, self.n_rows, sizeof(RowC), by_cost)
        self.crew.share(work_on_rows, <void*> self, self.n_rows, n_helpers, self.scratch)

    cdef void gather(self, Slots slots) noexcept nogil:
        """List the slots with output rows to sample; the tokens of the others are known.

        A request's rows follow one another, and llama.cpp keeps their logits so.

        Logits are on the host afterwards; those of a row that the backend has sampled are not.
        """
        cdef int32_t i
        cdef SlotC* slot
        cdef RequestC* request
        self.n_rows = 0
        for i in range(slots.n_slots):
            slot = &slots.slots[i]
            if slot.n_planned == 0 or slot.request.i_row < 0:
                continue
            request = slot.request
            if request.sampler.attached != NULL:
                slot.n_accepted = 0
                slot.token = self.backend.sampled(request.i_row, request.sampler)
                self.think(request, slot.token)
            else:
                self.rows[self.n_rows] = RowC(slot, self.context.logits(request.i_row))
                self.n_rows += 1
        self.t_ready = now_ns()

    cdef int32_t n_helpers(self) noexcept nogil:
        """How many helpers save more time than it takes to wake them."""
        cdef int32_t i
        cdef int64_t cost_ns, total_ns = 0, longest_ns = 0
        for i in range(self.n_rows):
            cost_ns = rows_cost(&self.rows[i])
            total_ns += cost_ns
            longest_ns = max(longest_ns, cost_ns)
        return <int32_t> min(<int64_t> self.crew.n_helpers,
                             (total_ns - longest_ns) // max(self.wake_ns, 1))

    cdef void choose_rows(self, RowC* row, llama_token_data* scratch) noexcept nogil:
        """All that is to be done about a slot's output rows; by any thread, beside other slots.

        Row i comes after i tokens of the draft. They are sampled in their order, by the request's
        own samplers, as long as they give what was drafted: so these know no token that does not
        become output, and their choices are those that they make without a draft.
        """
        cdef int64_t started = now_ns()
        cdef RequestC* request = row.slot.request
        cdef const llama_token* draft = request.tokens + request.n_tokens
        cdef int32_t i = 0
        cdef llama_token token = self.choose_row(request, 0, row.logits, scratch)
        while i < request.n_draft and token == draft[i] and not self.vocab.c.is_eog[token]:
            i += 1
            token = self.choose_row(
                request, i, row.logits + <size_t> i * self.vocab.c.n_tokens, scratch)
        row.slot.n_accepted = i
        row.slot.token = token
        observe_cost(request.sampler, (now_ns() - started) // (i + 1))

    cdef llama_token choose_row(self, RequestC* request, int32_t i, float* logits,
                                llama_token_data* scratch) noexcept nogil:
        """Sample the token after what is known and the first `i` of the draft."""
        cdef LlamaC* llama = &self.context.library.c
        cdef llama_token token = -1
        if request.reasoning != NULL:
            token = forced_token(request.reasoning)
        if token >= 0:
            token = sampler_force(request.sampler, llama, logits, token, scratch)
        else:
            token = sampler_sample(request.sampler, llama, logits, self.vocab.c.n_tokens,
                                   history(request), n_history(request) + i, scratch)
        self.think(request, token)
        if request.probs.n_best >= 0 and token >= 0 and probs_add(
                &request.probs, request.sampler, logits, self.vocab.c.n_tokens, token,
                scratch) < 0:
            fail("out of memory")
        return token

    cdef void think(self, RequestC* request, llama_token token) noexcept nogil:
        """Tell a request's reasoning, if there is some, of a sampled token.

        Now, not when it is appended: the next row of a draft is sampled with that in mind.
        """
        cdef const VocabC* vocab = request.vocab
        if request.reasoning != NULL and token >= 0:
            request_think(request, token, vocab.pieces + vocab.offsets[token],
                          vocab.offsets[token + 1] - vocab.offsets[token])

    cdef int32_t take(self, SlotC* slot, int64_t now) noexcept nogil:
        """Append what a slot's output rows gave, token by token, until the request ends.

        Returns why it ends (`FinishC`), if it does. What comes after is as if it had not been
        sampled.
        """
        cdef RequestC* request = slot.request
        cdef int32_t n_before = n_output(request), n_ready = 0, reason = FINISH_NONE
        slot.n_verified = 0
        while reason == FINISH_NONE and slot.n_verified < slot.n_accepted:
            # The token was drafted, so it lies where it is appended.
            reason = self.append(request, request.tokens[request.n_tokens], &n_ready)
            slot.n_verified += 1
        request.n_draft_accepted += slot.n_verified
        if reason == FINISH_NONE:
            reason = self.append(request, slot.token, &n_ready)
            slot.n_verified += 1
        self.count_tokens(request, n_output(request) - n_before, now)
        if request.probs.n_best >= 0:
            request.probs.n_held = request.n_unreported * (1 + request.probs.n_best)
        if reason == FINISH_NONE and n_ready > 0:
            self.report(request, n_ready)
        return reason

    cdef int32_t append(self, RequestC* request, llama_token token,
                        int32_t* n_ready) noexcept nogil:
        """Add a sampled token and its text; returns why the request ends (`FinishC`), if it does.

        A constraint that allows no token has come to its end, if it is fulfilled.

        :param n_ready: set to the bytes of text that may be released now.
        """
        cdef const VocabC* vocab = request.vocab
        cdef const char* piece
        cdef int32_t n_bytes, n_kept
        if token < 0:
            return FINISH_EOG if constraint_ended(request.sampler) else FINISH_NO_TOKEN
        if request_append(request, token) < 0:
            fail("out of memory")
        if vocab.is_eog[token]:
            return FINISH_EOG
        piece = vocab.pieces + vocab.offsets[token]
        n_bytes = vocab.offsets[token + 1] - vocab.offsets[token]
        n_kept = lines_push(&request.lines, piece, n_bytes)
        request.text.is_deaf = n_output(request) <= request.n_predict_min
        n_ready[0] = text_push(&request.text, piece, n_kept)
        if request.text.i_stop >= 0:
            return FINISH_STOP
        if n_output(request) >= request.n_predict or n_kept < n_bytes or (
                is_full(request) and not needs_shift(request)):
            return FINISH_LENGTH
        if request.t_first > 0 and lines_late(
                &request.lines, piece, n_bytes, self.t_ready - request.t_first):
            return FINISH_LENGTH
        return FINISH_NONE

    cdef void count_tokens(self, RequestC* request, int32_t n, int64_t now) noexcept nogil:
        """Count and charge `n` new output tokens; those of one step share the time since the one
        before."""
        cdef int32_t first = 0
        if n == 0:
            return
        request.n_unreported += n
        if request.bucket != NULL:
            bucket_charge(request.bucket, n, now)
        self.counters.n_output_tokens += n
        if n_output(request) == n:
            first = 1
            request.t_first = request.t_last = now
            histogram_observe(&self.counters.first_token, now - request.t_submit)
        for _ in range(first, n):
            histogram_observe(&self.counters.inter_token, (now - request.t_last) // n)
        request.t_last = now

    cdef void report(self, RequestC* request, int32_t n_bytes) noexcept nogil:
        """Release `n_bytes` of text with an event of this step.

        It tells of every token so far, though text of the last ones may still be held back.
        """
        cdef EventC event = EventC(
            request.owner, 0, n_bytes, request.n_unreported, 0, request.finish,
            request.probs.n_held, 0, -1, 0)
        if request.has_progress:
            event.n_computed = request.n_computed
            event.prefill_ns = self.t_ready - request.t_admit
            request.has_progress = False
        if events_append(&self.events, &event, request.text.held,
                         history(request) + n_history(request) - request.n_unreported,
                         request.probs.held) < 0:
            fail("out of memory")
        text_release(&request.text, n_bytes)
        request.n_unreported = request.probs.n_held = 0

    cdef void note_progress(self, RequestC* request, int32_t n) noexcept nogil:
        """Have the next event tell that `n` known tokens are computed, unless more were before a
        preemption, or they are the output's."""
        n = min(n, request.n_prompt)
        if request.tells_progress and n > request.n_computed:
            request.n_computed = n
            request.has_progress = True

    cdef void publish(self) noexcept nogil:
        """Hand the step's events to their outboxes, with one notification each.

        After its last event a request, and with it its outbox, may be gone at any moment.
        """
        cdef EventC* event
        cdef OutboxC* outbox
        cdef int32_t i, j
        for i in range(self.events.n_events):
            if self.events.events[i].request == NULL:
                continue
            outbox = (<Request> self.events.events[i].request).c.outbox
            pthread_mutex_lock(&outbox.mutex)
            for j in range(i, self.events.n_events):
                event = &self.events.events[j]
                if event.request == NULL or (<Request> event.request).c.outbox != outbox:
                    continue
                if events_append(&outbox.filling, event, self.events.text + event.offset,
                                 self.events.tokens + event.i_token,
                                 self.events.probs + event.i_prob) < 0:
                    fail("out of memory")
                event.request = NULL
            self.counters.n_wakeups += outbox_notify(outbox)
            pthread_mutex_unlock(&outbox.mutex)
        events_clear(&self.events)


cdef void work_on_rows(void* output, int32_t i, llama_token_data* scratch) noexcept nogil:
    (<Output> output).choose_rows(&(<Output> output).rows[i], scratch)


cdef int by_cost(const void* a, const void* b) noexcept nogil:
    """The longest first: they would be waited for if they came last."""
    cdef int64_t left = rows_cost(<const RowC*> a)
    cdef int64_t right = rows_cost(<const RowC*> b)
    return (left < right) - (left > right)


cdef int64_t rows_cost(const RowC* row) noexcept nogil:
    """Nanoseconds that a slot's output rows take, if its draft is accepted."""
    return row.slot.request.sampler.cost_ns * (1 + row.slot.request.n_draft)


cdef void observe_cost(SamplerC* sampler, int64_t elapsed) noexcept nogil:
    """Keep the mean of what a token takes, which a single row that was interrupted hardly moves."""
    cdef int64_t credible = min(elapsed, 2 * sampler.cost_ns + UNSURPRISING_NS)
    sampler.cost_ns += (credible - sampler.cost_ns) // 4
