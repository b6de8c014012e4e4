"""The step loop: admit, plan, forward, settle, publish.

One rule decides what a step computes. A request has known tokens (prompt and output) and computed
ones (`n_past`); each step gives every live slot some tokens so that the second catch up with the
first. There is no phase: prefill, chunked prefill, reuse of a prefix and resumption after a
preemption are all this rule.
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport abort, calloc, free

from .debug cimport LLAMABOX_DEBUG
from .inbox cimport (
    inbox_close,
    inbox_free,
    inbox_init,
    inbox_is_closed,
    inbox_put,
    inbox_take,
)
from .outbox cimport (
    EventC,
    OutboxC,
    events_append,
    events_free,
    outbox_notify,
)
from .request cimport Request, n_output, n_pending
from .sampler cimport sampler_sample, sampler_start
from .stats cimport histogram_observe, stats_dict
from .sync cimport load_int, now_ns, pthread_mutex_lock, pthread_mutex_unlock
from .text cimport text_push, text_release
from .types cimport (
    FINISH_CANCELLED,
    FINISH_EOG,
    FINISH_ERROR,
    FINISH_LENGTH,
    FINISH_STOP,
)
from .waiting cimport waiting_put, waiting_take, waiting_take_cancelled

# Output tokens that admission keeps free for each live request, if it may still need them.
cdef int32_t HEADROOM = 64


cdef class Scheduler:
    """Continuous batching over the slots of one context.

    :param context: its memory belongs to the scheduler from now on.
    :param vocab: of the context's model.
    :param n_slots: requests that run at once, `n_seq_max` of the context at most.
    :param n_cells: cells that they share, `n_ctx` of the context at most.
    """

    def __cinit__(self, Context context not None, Vocab vocab not None, int32_t n_slots,
                  int32_t n_cells):
        inbox_init(&self.inbox)
        self.context = context
        self.vocab = vocab
        self.slots = Slots(n_slots, n_cells)
        self.batch = Batch(context.n_batch)
        self.scratch = <llama_token_data*> calloc(
            max(vocab.c.n_tokens, context.n_ctx), sizeof(llama_token_data))
        if self.scratch == NULL:
            raise MemoryError

    def __dealloc__(self):
        inbox_free(&self.inbox)
        events_free(&self.events)
        free(self.scratch)

    def run(self):
        """Serve requests until `close`; then end those that are left and return.

        To be called once, by a thread of its own, which gives up the GIL for all that time.
        """
        with nogil:
            self.loop()

    def submit(self, Request request not None):
        """Queue a request, for any thread; False if the scheduler is closed.

        Its outbox gets its events, the last of which has a finish reason.
        """
        request.c.t_submit = now_ns()
        request.outbox.n_open += 1
        Py_INCREF(request)
        if inbox_put(&self.inbox, &request.c):
            return True
        Py_DECREF(request)
        request.outbox.n_open -= 1
        return False

    def close(self):
        """Make `run` return after the current step; for any thread, any number of times."""
        inbox_close(&self.inbox)

    def stats(self):
        """Counters and histograms as a dict."""
        return stats_dict(&self.counters)

    cdef void loop(self) noexcept nogil:
        while self.receive():
            self.step()
        self.finish_all()

    cdef bint receive(self) noexcept nogil:
        """Queue what has arrived, waiting for it if there is nothing to do; False if closed."""
        cdef bint idle = self.slots.n_live == 0 and self.waiting.n == 0
        cdef RequestC* request = inbox_take(&self.inbox, idle)
        cdef RequestC* following
        while request != NULL:
            following = request.next
            self.n_arrived += 1
            request.sequence = self.n_arrived
            waiting_put(&self.waiting, request)
            request = following
        return not inbox_is_closed(&self.inbox)

    cdef void step(self) noexcept nogil:
        cdef int64_t t_start = now_ns()
        self.drop_cancelled()
        if self.events.n_events > 0:
            self.publish()
        self.admit()
        self.plan()
        if self.batch.c.n_tokens > 0 and self.forward():
            self.settle(t_start)
        self.publish()
        if LLAMABOX_DEBUG:
            self.check()

    cdef void drop_cancelled(self) noexcept nogil:
        cdef int32_t i
        cdef RequestC* request = waiting_take_cancelled(&self.waiting)
        while request != NULL:
            self.finish(request, FINISH_CANCELLED)
            request = waiting_take_cancelled(&self.waiting)
        for i in range(self.slots.n_slots):
            request = self.slots.slots[i].request
            if request != NULL and load_int(&request.cancelled):
                self.finish(request, FINISH_CANCELLED)

    cdef void admit(self) noexcept nogil:
        """Give slots to the first requests of the queue, as far as the pool has room."""
        cdef int32_t i_slot, n_prefix
        while self.waiting.first != NULL and self.has_room(self.waiting.first):
            i_slot = self.slots.acquire(self.waiting.first, &n_prefix)
            if i_slot < 0:
                return
            self.start(waiting_take(&self.waiting), i_slot, n_prefix)

    cdef bint has_room(self, RequestC* request) noexcept nogil:
        """Whether the pool holds the request beside what the live ones are about to need."""
        cdef int64_t n_cells = expected_cells(request)
        cdef int32_t i
        for i in range(self.slots.n_slots):
            if self.slots.slots[i].request != NULL:
                n_cells += expected_cells(self.slots.slots[i].request)
        return n_cells <= self.slots.n_cells

    cdef void start(self, RequestC* request, int32_t i_slot, int32_t n_prefix) noexcept nogil:
        cdef int32_t n_kept = self.context.trim(i_slot, n_prefix)
        self.slots.occupy(i_slot, request, n_kept)
        if request.t_admit:
            return
        request.t_admit = now_ns()
        request.n_cached = n_kept
        self.counters.n_cached_tokens += n_kept
        histogram_observe(&self.counters.queue_time, request.t_admit - request.t_submit)
        sampler_start(request.sampler, &self.context.library.c, request.tokens, request.n_tokens)

    cdef void plan(self) noexcept nogil:
        """Choose and fill the rows of this step; a dry pool costs the newest request its slot."""
        self.batch.clear()
        self.n_prefill_rows = 0
        while self.slots.n_live > 0:
            if self.n_decoding() <= self.slots.n_available():
                self.fill_decode()
                self.fill_prefill()
                if self.batch.c.n_tokens > 0:
                    return
            self.preempt(self.slots.newest_live())

    cdef int32_t n_decoding(self) noexcept nogil:
        cdef int32_t i, n = 0
        for i in range(self.slots.n_slots):
            if is_decoding(&self.slots.slots[i]):
                n += 1
        return n

    cdef void fill_decode(self) noexcept nogil:
        cdef int32_t i
        for i in range(self.slots.n_slots):
            if is_decoding(&self.slots.slots[i]):
                self.fill(i, 1)

    cdef void fill_prefill(self) noexcept nogil:
        """Share what is left of the batch among the prompts, another one first at each step."""
        cdef int32_t k, i, n, n_slots = self.slots.n_slots
        cdef int32_t budget = self.batch.capacity - self.batch.c.n_tokens
        if self.batch.c.n_tokens > 0:
            budget = min(budget, self.context.n_ubatch)
        for k in range(n_slots):
            i = (self.i_turn + k) % n_slots
            if self.slots.slots[i].request == NULL or self.slots.slots[i].n_planned > 0:
                continue
            n = min(n_pending(self.slots.slots[i].request), budget)
            n = min(n, self.slots.n_available() - self.batch.c.n_tokens)
            if n > 0:
                self.fill(i, n)
                budget -= n
        self.i_turn = (self.i_turn + 1) % n_slots

    cdef void fill(self, int32_t i_slot, int32_t n) noexcept nogil:
        """Add the next `n` known tokens of a live slot to the batch."""
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef RequestC* request = slot.request
        cdef bint samples = n == n_pending(request) and request.n_limit > request.n_prompt
        self.make_room(self.batch.c.n_tokens + n)
        slot.n_planned = n
        request.i_row = self.batch.add(
            i_slot, request.n_past, request.tokens + request.n_past, n, samples)
        if not samples:
            request.i_row = -1
        if request.n_past < request.n_prompt:
            self.n_prefill_rows += n

    cdef void make_room(self, int32_t n_cells) noexcept nogil:
        """Free parked cells, the oldest first, until `n_cells` are free or none is parked."""
        cdef int32_t i
        while self.slots.n_free() < n_cells:
            i = self.slots.oldest_parked()
            if i < 0:
                return
            self.context.trim(i, 0)
            self.slots.forget(i)

    cdef void preempt(self, int32_t i_slot) noexcept nogil:
        """Free a live slot's cells and queue its request again; its tokens stay known."""
        cdef RequestC* request = self.slots.slots[i_slot].request
        self.context.trim(i_slot, 0)
        self.slots.vacate(i_slot, 0)
        waiting_put(&self.waiting, request)
        self.counters.n_preempted += 1

    cdef bint forward(self) noexcept nogil:
        """Compute the batch; False if that failed, and then the failure is dealt with."""
        cdef int32_t code = self.context.forward(self.batch.c)
        if code != 0:
            self.recover(code)
        return code == 0

    cdef void recover(self, int32_t code) noexcept nogil:
        """No room: free what can be spared and try again. Else the batch's requests fail."""
        cdef int32_t i
        cdef SlotC* slot
        if code == 1 and self.slots.n_parked > 0:
            self.make_room(self.slots.n_available())
        elif code == 1 and self.slots.n_live > 1:
            self.preempt(self.slots.newest_live())
        else:
            for i in range(self.slots.n_slots):
                slot = &self.slots.slots[i]
                if slot.request != NULL and slot.n_planned > 0:
                    self.context.trim(i, 0)
                    self.slots.grow(i, -slot.n_cells)
                    self.finish(slot.request, FINISH_ERROR)
        for i in range(self.slots.n_slots):
            self.slots.slots[i].n_planned = 0

    cdef void settle(self, int64_t t_start) noexcept nogil:
        """Book the computed rows, sample where a request has caught up, end what is at its end."""
        cdef int32_t i
        cdef int64_t now
        cdef SlotC* slot
        cdef RequestC* request
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned == 0:
                continue
            request = slot.request
            self.slots.grow(i, slot.n_planned)
            slot.n_planned = 0
            if request.i_row >= 0:
                self.extend(request, now_ns())
            elif n_pending(request) == 0:
                self.finish(request, FINISH_LENGTH)
        now = now_ns()
        self.account(now, now - t_start)

    cdef void account(self, int64_t now, int64_t elapsed) noexcept nogil:
        """Charge the step's time to prefill and decode by their share of the rows."""
        cdef int32_t n_rows = self.batch.c.n_tokens
        cdef int64_t prefill_ns = elapsed * self.n_prefill_rows // n_rows
        self.counters.n_steps += 1
        self.counters.n_prompt_tokens += self.n_prefill_rows
        self.counters.prefill_ns += prefill_ns
        self.counters.decode_ns += elapsed - prefill_ns

    cdef void extend(self, RequestC* request, int64_t now) noexcept nogil:
        """Sample the request's next token, and end the request if that is its last."""
        cdef llama_token token = sampler_sample(
            request.sampler, &self.context.library.c, self.context.logits(request.i_row),
            self.vocab.c.n_tokens, request.tokens, request.n_tokens, self.scratch)
        cdef int32_t* offsets = self.vocab.c.offsets
        cdef int32_t n_ready
        if token < 0:
            self.finish(request, FINISH_ERROR)
            return
        request.tokens[request.n_tokens] = token
        request.n_tokens += 1
        self.count_token(request, now)
        if self.vocab.c.is_eog[token]:
            self.finish(request, FINISH_EOG)
            return
        n_ready = text_push(&request.text, self.vocab.c.pieces + offsets[token],
                            offsets[token + 1] - offsets[token])
        if request.text.i_stop >= 0:
            self.finish(request, FINISH_STOP)
        elif request.n_tokens >= request.n_limit:
            self.finish(request, FINISH_LENGTH)
        elif n_ready > 0:
            self.report(request, n_ready)

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
        """Release `n_bytes` of text with an event of this step."""
        if events_append(&self.events, request.owner, request.text.held, n_bytes,
                         request.n_unreported, request.finish) < 0:
            out_of_memory()
        text_release(&request.text, n_bytes)
        request.n_unreported = 0

    cdef void finish(self, RequestC* request, int32_t reason) noexcept nogil:
        """End a request: park its cells, release all of its text, say why."""
        if request.i_slot >= 0:
            self.slots.vacate(request.i_slot, request.n_past)
        request.finish = reason
        self.counters.n_finished[reason] += 1
        self.report(request, request.text.n_held)

    cdef void publish(self) noexcept nogil:
        """Hand the step's events to their outboxes, with one notification each.

        After its last event a request, and with it its outbox, may be gone at any moment.
        """
        cdef EventsC* events = &self.events
        cdef EventC* event
        cdef OutboxC* outbox
        cdef int32_t i, j
        self.counters.n_running = self.slots.n_live
        self.counters.n_waiting = self.waiting.n
        self.counters.n_cells_used = self.slots.n_used
        for i in range(events.n_events):
            if events.events[i].request == NULL:
                continue
            outbox = (<Request> events.events[i].request).c.outbox
            pthread_mutex_lock(&outbox.mutex)
            for j in range(i, events.n_events):
                event = &events.events[j]
                if event.request == NULL or (<Request> event.request).c.outbox != outbox:
                    continue
                if events_append(&outbox.filling, event.request, events.text + event.offset,
                                 event.n_bytes, event.n_tokens, event.finish) < 0:
                    out_of_memory()
                event.request = NULL
            self.counters.n_wakeups += outbox_notify(outbox)
            pthread_mutex_unlock(&outbox.mutex)
        events.n_events = events.n_text = 0

    cdef void finish_all(self) noexcept nogil:
        """Cancel every request that is left, with those that came in before the inbox closed."""
        cdef int32_t i
        cdef RequestC* request
        self.receive()
        request = waiting_take(&self.waiting)
        while request != NULL:
            self.finish(request, FINISH_CANCELLED)
            request = waiting_take(&self.waiting)
        for i in range(self.slots.n_slots):
            if self.slots.slots[i].request != NULL:
                self.finish(self.slots.slots[i].request, FINISH_CANCELLED)
        self.publish()

    cdef void check(self) noexcept nogil:
        """Invariants of the debug build: the memory holds exactly what the books say."""
        cdef int32_t i, n_used = 0
        cdef SlotC* slot
        cdef int32_t n_held
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            n_held = self.context.library.c.memory_seq_pos_max(self.context.memory, i) + 1
            n_used += slot.n_cells
            if n_held != slot.n_cells or (
                    slot.request != NULL and slot.request.n_past != slot.n_cells):
                fprintf(stderr, "llamabox: slot %d holds %d cells, the books say %d\n",
                        i, n_held, slot.n_cells)
                abort()
        if n_used != self.slots.n_used or n_used > self.slots.n_cells:
            fprintf(stderr, "llamabox: %d cells used of %d, the books say %d\n",
                    n_used, self.slots.n_cells, self.slots.n_used)
            abort()


cdef void out_of_memory() noexcept nogil:
    fprintf(stderr, "llamabox: out of memory\n")
    abort()


cdef bint is_decoding(const SlotC* slot) noexcept nogil:
    return slot.request != NULL and n_pending(slot.request) == 1


cdef int64_t expected_cells(const RequestC* request) noexcept nogil:
    """Cells for what is known, and for the output that is about to come."""
    return request.n_tokens + min(request.n_limit - request.n_tokens, HEADROOM)
