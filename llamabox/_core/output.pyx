"""What comes out of a step: a token for each output row, its text, the events that tell of it."""
from libc.stdlib cimport calloc, free

from .outbox cimport EventC, OutboxC, events_append, events_clear, events_free, outbox_notify
from .pool cimport fail
from .probs cimport probs_add
from .request cimport (
    Request,
    history,
    is_full,
    n_history,
    n_output,
    needs_shift,
    request_append,
)
from .sampler cimport sampler_sample
from .slots cimport SlotC
from .stats cimport histogram_observe
from .sync cimport pthread_mutex_lock, pthread_mutex_unlock
from .text cimport text_push, text_release
from .types cimport FINISH_EOG, FINISH_ERROR, FINISH_LENGTH, FINISH_NONE, FINISH_STOP


cdef class Output:
    """The output of one scheduler's requests."""

    def __cinit__(self, Context context not None, Vocab vocab not None):
        self.context = context
        self.vocab = vocab
        self.scratch = <llama_token_data*> calloc(
            max(vocab.c.n_tokens, context.n_ctx), sizeof(llama_token_data))
        if self.scratch == NULL:
            raise MemoryError

    def __dealloc__(self):
        events_free(&self.events)
        free(self.scratch)

    cdef void choose(self, Slots slots) noexcept nogil:
        """Sample a token for each slot that has an output row in the last batch."""
        cdef int32_t i
        cdef SlotC* slot
        cdef RequestC* request
        cdef float* logits
        for i in range(slots.n_slots):
            slot = &slots.slots[i]
            if slot.n_planned == 0 or slot.request.i_row < 0:
                continue
            request = slot.request
            logits = self.context.logits(request.i_row)
            slot.token = sampler_sample(
                request.sampler, &self.context.library.c, logits,
                self.vocab.c.n_tokens, history(request), n_history(request), self.scratch)
            if request.probs.n_best >= 0 and slot.token >= 0 and probs_add(
                    &request.probs, request.sampler, logits, self.vocab.c.n_tokens, slot.token,
                    self.scratch) < 0:
                fail("out of memory")

    cdef int32_t append(self, RequestC* request, llama_token token, int64_t now) noexcept nogil:
        """Add a sampled token and its text; returns why the request ends (`FinishC`), if it does.

        A grammar that allows no token has come to its end.
        """
        cdef int32_t* offsets = self.vocab.c.offsets
        cdef int32_t n_ready
        if token < 0:
            return FINISH_ERROR if request.sampler.grammar == NULL else FINISH_EOG
        if request_append(request, token) < 0:
            fail("out of memory")
        self.count_token(request, now)
        if self.vocab.c.is_eog[token]:
            return FINISH_EOG
        n_ready = text_push(&request.text, self.vocab.c.pieces + offsets[token],
                            offsets[token + 1] - offsets[token])
        if request.text.i_stop >= 0:
            return FINISH_STOP
        if n_output(request) >= request.n_predict or (
                is_full(request) and not needs_shift(request)):
            return FINISH_LENGTH
        if n_ready > 0:
            self.report(request, n_ready)
        return FINISH_NONE

    cdef void count_token(self, RequestC* request, int64_t now) noexcept nogil:
        request.n_unreported += 1
        self.counters.n_output_tokens += 1
        if n_output(request) == 1:
            request.t_first = now
            histogram_observe(&self.counters.first_token, now - request.t_submit)
        else:
            histogram_observe(&self.counters.inter_token, now - request.t_last)
        request.t_last = now

    cdef void report(self, RequestC* request, int32_t n_bytes) noexcept nogil:
        """Release `n_bytes` of text with an event of this step.

        It tells of every token so far, though text of the last ones may still be held back.
        """
        if events_append(&self.events, request.owner, request.text.held, n_bytes,
                         request.n_unreported, request.finish, request.probs.held,
                         request.probs.n_held) < 0:
            fail("out of memory")
        text_release(&request.text, n_bytes)
        request.n_unreported = request.probs.n_held = 0

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
                if events_append(&outbox.filling, event.request, self.events.text + event.offset,
                                 event.n_bytes, event.n_tokens, event.finish,
                                 self.events.probs + event.i_prob, event.n_probs) < 0:
                    fail("out of memory")
                event.request = NULL
            self.counters.n_wakeups += outbox_notify(outbox)
            pthread_mutex_unlock(&outbox.mutex)
        events_clear(&self.events)
