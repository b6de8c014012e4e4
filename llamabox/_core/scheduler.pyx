"""The step loop: admit, plan, forward, settle, publish.

One rule decides what a step computes. A request has known tokens (prompt and output) and computed
ones (`n_past`); each step gives every live slot some tokens so that the second catch up with the
first. There is no phase: prefill, chunked prefill, reuse of a prefix and resumption after a
preemption are all this rule.
"""
from libc.stdint cimport INT64_MAX
from posix.time cimport CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec

from .checkpoints cimport Checkpoints
from .context cimport MEMORY_STATES
from .debug cimport LLAMABOX_DEBUG
from .drafter cimport Drafter
from .inbox cimport (
    inbox_close,
    inbox_count,
    inbox_free,
    inbox_init,
    inbox_is_closed,
    inbox_put,
    inbox_take,
)
from .log cimport keep_quiet
from .partitions cimport Partitions
from .pool cimport Pool, fail
from .ratelimit cimport bucket_set_rate
from .request cimport Request, ended_early, n_pending, needs_shift
from .sampler cimport sampler_start
from .shift cimport shift
from .stats cimport histogram_observe, stats_dict
from .tier cimport Tier
from .sync cimport now_ns
from .throttle cimport Throttle
from .turns cimport Turns
from .types cimport FINISH_CANCELLED, FINISH_ERROR, FINISH_LENGTH, FINISH_NONE
from .vocab cimport Vocab
from .waiting cimport waiting_put, waiting_take, waiting_take_ended

from .tier import NO_TIER

# A longer queue is searched for requests that are cancelled or late only so often, in nanoseconds.
cdef int SHORT_QUEUE = 256
cdef int64_t SCAN_NS = 5_000_000
# While all live requests wait, cancellations and deadlines are looked at so often; and more often
# while some wait for the second tier, whose worker may be slow.
cdef int64_t NAP_NS = 20_000_000
cdef int64_t SHORT_NAP_NS = 2_000_000


cdef class Scheduler:
    """Continuous batching over the slots of one context.

    :param context: its memory belongs to the scheduler from now on.
    :param vocab: of the context's model.
    :param n_slots: requests that run at once, `n_seq_max` of the context at most.
    :param n_cells: cells that they share, or that each has in a partitioned memory; `n_ctx` of
        the context at most.
    :param target_ns: see `Plan`.
    :param n_chunk: see `Plan`.
    :param n_spare_bytes: RAM in which preempted requests keep their cells.
    :param n_checkpoints: see `Checkpoints`, as `n_checkpoint_bytes`.
    :param checkpoint_step: see `Admission`.
    :param n_sampling_threads: threads that sample, the one of `run` among them.
    :param n_draft_rows: rows that verify drafts in a step, at most; 0 never drafts. A forward has
        so many output rows more than slots.
    :param ngram_min: see `Speculation`, as `drafter`.
    :param backend: where llama.cpp samples beside the model; None for nowhere.
    :param tier: where evicted prefixes go; None for nowhere.
    :param has_adapters: whether requests may have LoRA adapters.
    """

    def __cinit__(self, Context context not None, Vocab vocab not None, int32_t n_slots,
                  int32_t n_cells, int64_t target_ns=0, size_t n_spare_bytes=0,
                  int32_t n_chunk=16, int32_t n_checkpoints=0, size_t n_checkpoint_bytes=0,
                  int32_t checkpoint_step=8192, int32_t n_sampling_threads=1,
                  int32_t n_draft_rows=0, int32_t ngram_min=0, Drafter drafter=None,
                  Backend backend=None, Tier tier=None, bint has_adapters=False):
        inbox_init(&self.inbox)
        self.context = context
        self.slots = Slots(n_slots)
        pool = Partitions if context.is_partitioned else Pool
        self.pool = pool(context, n_cells, n_spare_bytes,
                         Checkpoints(n_checkpoints, n_checkpoint_bytes), tier)
        self.tier = tier
        self.throttle = Throttle(self.slots)
        self.plan = Plan(self.slots, context.n_batch, context.n_ubatch, n_chunk, target_ns,
                         needs_equal_rows=(context.is_partitioned
                                           or context.kind == MEMORY_STATES),
                         is_windowed=context.is_windowed)
        self.turns = Turns(context, self.slots, has_adapters)
        if context.kind == MEMORY_STATES:
            n_draft_rows = 0
        self.speculation = Speculation(
            self.slots, n_draft_rows, ngram_min, context.is_partitioned, drafter)
        self.speculation.counters = &self.counters
        self.batch = Batch(context.n_batch)
        self.admission = Admission(self.slots, self.pool, checkpoint_step)
        if tier is not None:
            self.admission.fetches.counters = &self.counters
            tier.jobs.set_inbox(&self.inbox)
        self.backend = backend or Backend(context, False)
        self.output = Output(context, vocab, n_slots, n_sampling_threads, self.backend)
        self.output.counters = &self.counters

    def __dealloc__(self):
        inbox_free(&self.inbox)

    def run(self):
        """Serve requests until `close`; then end those that are left and return.

        To be called once, by a thread of its own, which gives up the GIL for all that time.
        """
        with nogil:
            self.loop()
        if self.tier is not None:
            self.tier.jobs.set_inbox(NULL)

    def submit(self, Request request not None, *others):
        """Queue requests, for any thread: all in the same step; False if the scheduler is closed.

        Their outboxes get their events, the last of which has a finish reason.
        """
        cdef Request following
        cdef RequestC* last = &request.c
        cdef int64_t now = now_ns()
        request.open(now)
        for following in others:
            following.open(now)
            last.next = &following.c
            last = last.next
        if inbox_put(&self.inbox, &request.c, last, 1 + len(others)):
            return True
        request.retract()
        for following in others:
            following.retract()
        return False

    def n_queued(self, int32_t n_more=0):
        """Requests that arrived and have no slot, with `n_more` that may come, beyond those that
        idle slots will take."""
        cdef int32_t n_idle = self.slots.n_slots - self.slots.n_live
        return max(0, inbox_count(&self.inbox) + self.waiting.n + n_more - n_idle)

    def sequence_lengths(self):
        """Tokens that each sequence holds by the books; of an idle scheduler."""
        return [self.pool.length(i) for i in range(self.pool.tree.n_sequences)]

    def close(self):
        """Make `run` return after the current step; for any thread, any number of times."""
        inbox_close(&self.inbox)

    def stats(self):
        """Counters and histograms as a dict."""
        return {**stats_dict(&self.counters), **(self.tier.gauges() if self.tier else NO_TIER)}

    cdef void loop(self) noexcept nogil:
        keep_quiet()
        while self.receive():
            self.step()
        self.finish_all()
        if self.tier is not None:
            self.tier.save_rest(self.pool.tree)
        self.output.crew.dismiss()

    cdef bint receive(self) noexcept nogil:
        """Queue what has arrived, waiting for it if there is nothing to do; False if closed."""
        cdef RequestC* request
        cdef RequestC* following
        if self.slots.n_live == 0 and self.waiting.n == 0:
            self.t_wake = INT64_MAX
            if self.tier is not None and self.tier.has_work(self.pool.tree):
                self.t_wake = 0
            self.throttle.t_step = 0
        self.counters.n_sleeps += self.t_wake > 0
        request = inbox_take(&self.inbox, self.t_wake)
        while request != NULL:
            following = request.next
            self.enter(request)
            request = following
        return not inbox_is_closed(&self.inbox)

    cdef void enter(self, RequestC* request) noexcept nogil:
        """Queue a request that has arrived; the last one of a bucket says how fast that fills."""
        self.n_arrived += 1
        request.arrival = self.n_arrived
        if request.bucket_rate and request.bucket_rate != request.bucket.rate:
            bucket_set_rate(request.bucket, request.bucket_rate, now_ns())
        waiting_put(&self.waiting, request)

    cdef void step(self) noexcept nogil:
        cdef int64_t t_start = now_ns()
        cdef int64_t n_changes = self.slots.n_changes
        self.end_early(t_start)
        if self.output.events.n_events > 0:
            self.publish()
        if self.tier is not None:
            self.tier.set_pace(self.slots.has_decoding(), self.plan.decode_ns)
            self.tier.collect()
        self.join_leaders()
        self.admit()
        if self.tier is not None:
            self.admission.fetches.load(self.slots)
        self.throttle.allot(t_start, self.plan.expected_ns())
        self.turns.choose(t_start)
        self.speculation.draft(<int64_t> self.plan.spare_ns())
        self.choose_rows()
        self.set_gauges()
        self.t_wake = 0
        if not self.compute(t_start) and self.slots.n_changes == n_changes:
            self.t_wake = self.next_chance(t_start)
        self.publish()
        if self.tier is not None:
            self.tier.save_behind(self.pool.tree)
        if LLAMABOX_DEBUG:
            self.check()

    cdef bint compute(self, int64_t t_start) noexcept nogil:
        """Run what is planned; False if that is nothing."""
        self.throttle.t_step = 0
        if self.batch.c.n_tokens == 0:
            return False
        self.throttle.t_step = t_start
        if self.forward():
            self.settle(t_start)
        return True

    cdef int64_t next_chance(self, int64_t now) noexcept nogil:
        """When a step may find something to compute, after one that did not, if nothing arrives
        before; 0 for at once."""
        cdef int32_t n_unready = self.slots.n_unready()
        if self.throttle.n_throttled + n_unready < self.slots.n_live:
            return 0
        if n_unready == 0:
            return min(self.throttle.t_due, now + NAP_NS)
        return min(self.throttle.t_due, now + SHORT_NAP_NS) if self.tier is not None else 0

    cdef void end_early(self, int64_t now) noexcept nogil:
        """End what is cancelled or late, queued or live."""
        cdef int32_t i, reason
        cdef RequestC* following
        cdef RequestC* request = NULL
        if self.waiting.n <= SHORT_QUEUE or now >= self.t_scan:
            self.t_scan = now + SCAN_NS
            request = waiting_take_ended(&self.waiting, now)
        while request != NULL:
            following = request.next
            self.finish(request, ended_early(request, now))
            request = following
        for i in range(self.slots.n_slots):
            request = self.slots.slots[i].request
            reason = ended_early(request, now) if request != NULL else <int> FINISH_NONE
            if reason:
                self.finish(request, reason)

    cdef void admit(self) noexcept nogil:
        """Give slots to the first requests of the queue, as far as the pool has room."""
        cdef int32_t i_slot
        while self.slots.n_live < self.slots.n_slots and self.waiting.first != NULL and (
                self.admission.has_room(self.waiting.first)):
            i_slot = self.slots.idle_for(self.waiting.first)
            self.slots.occupy(i_slot, waiting_take(&self.waiting))
            self.begin(i_slot)

    cdef void join_leaders(self) noexcept nogil:
        """Let those begin that have waited long enough for a common prefix."""
        cdef int32_t i
        for i in range(self.slots.n_slots):
            if self.admission.may_begin(i):
                self.begin(i)

    cdef void begin(self, int32_t i_slot) noexcept nogil:
        cdef SlotC* slot = &self.slots.slots[i_slot]
        if self.admission.begin(i_slot):
            self.mark_started(slot.request)
            if slot.request.n_predict > 0:
                self.backend.attach(slot.i_sequence, slot.request.sampler)

    cdef void mark_started(self, RequestC* request) noexcept nogil:
        """What happens once in a request's life, not again after a preemption."""
        if request.t_admit:
            return
        request.t_admit = now_ns()
        request.n_cached = request.n_past
        self.counters.n_cached_tokens += request.n_past
        histogram_observe(&self.counters.queue_time, request.t_admit - request.t_submit)
        sampler_start(request.sampler, &self.context.library.c, request.tokens, request.n_tokens)

    cdef void choose_rows(self) noexcept nogil:
        """Plan and fill the step; where cells are too few, the one ranked last gives up its own."""
        self.batch.clear()
        self.admission.set_cuts()
        while self.slots.has_ready():
            if self.plan.choose(self.pool.n_available()):
                self.shift_full()
                self.fill_batch()
                return
            self.preempt(self.slots.last_ranked())

    cdef void shift_full(self) noexcept nogil:
        """Shift the contexts that are full; now that nobody is preempted before the forward, which
        is what completes it."""
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned > 0 and needs_shift(slot.request):
                shift(self.pool, slot.i_sequence, slot.request)
                slot.n_planned = min(slot.n_planned, n_pending(slot.request))
                self.slots.n_changes += 1
                self.counters.n_shifts += 1

    cdef void fill_batch(self) noexcept nogil:
        """Put the planned rows into the batch."""
        cdef int32_t i
        self.n_prompt_rows = 0
        self.pool.make_room(self.plan.n_decode + self.plan.n_draft + self.plan.n_prefill)
        self.slots.arrange()
        for i in range(self.slots.n_arranged):
            self.fill(self.slots.arranged[i])

    cdef void fill(self, int32_t i_slot) noexcept nogil:
        """Add the slot's planned tokens to the batch; the last known one is an output row, and so
        are those of its draft."""
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef RequestC* request = slot.request
        cdef bint samples = (slot.n_planned == n_pending(request) + request.n_draft
                             and request.n_predict > 0)
        request.i_row = self.batch.add(
            slot.i_sequence, request.n_past, request.tokens + request.n_past, slot.n_planned,
            1 + request.n_draft if samples else 0)
        if not samples:
            request.i_row = -1
        if request.n_discarded == 0:
            self.n_prompt_rows += max(0, min(slot.n_planned, request.n_prompt - request.n_past))

    cdef void leave(self, int32_t i_slot) noexcept nogil:
        """Make a slot idle; what its sequence holds stays for others."""
        self.speculation.leave(i_slot)
        if self.tier is not None:
            self.admission.fetches.close(self.slots.slots[i_slot].request)
        if self.slots.slots[i_slot].i_sequence >= 0:
            self.pool.leave(self.slots.slots[i_slot].i_sequence)
            self.backend.detach(self.slots.slots[i_slot].request.sampler)
        self.slots.vacate(i_slot)

    cdef void preempt(self, int32_t i_slot) noexcept nogil:
        """Park a live request's cells, which others may take, and queue it again."""
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef RequestC* request = slot.request
        if slot.i_sequence >= 0 and request.n_past > 0:
            self.pool.save(slot.i_sequence, request)
        self.leave(i_slot)
        request.n_branch = 0
        request.has_fetched = False
        waiting_put(&self.waiting, request)
        self.counters.n_preempted += 1

    cdef bint forward(self) noexcept nogil:
        """Compute the batch; False if that failed, and then the failure is dealt with."""
        cdef int32_t code
        cdef int64_t cpu_ns = thread_ns()
        self.turns.apply(now_ns())
        if LLAMABOX_DEBUG:
            self.turns.check()
        code = self.context.forward(self.batch.c)
        self.counters.forward_ns += thread_ns() - cpu_ns
        if code != 0:
            self.recover(code)
        return code == 0

    cdef void recover(self, int32_t code) noexcept nogil:
        """No room: do without drafts, free what can be spared and try again, without the queue's
        first until some slot changes hands. Else the batch's requests fail."""
        cdef int32_t i
        cdef SlotC* slot
        if code == 1 and self.plan.n_draft > 0:
            self.speculation.pause()
            return
        if code == 1 and self.pool.evict_parked():
            return
        if code == 1 and self.slots.n_live > 1:
            self.preempt(self.slots.last_ranked())
            self.admission.refuse(self.waiting.first)
            return
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request != NULL and slot.n_planned > 0:
                self.pool.evict(slot.i_sequence)
                slot.i_sequence = -1
                self.finish(slot.request, FINISH_ERROR)

    cdef void settle(self, int64_t t_start) noexcept nogil:
        """Sample where a request has caught up, book the computed rows, end what is at its end."""
        cdef int32_t i, reason
        cdef int64_t now
        cdef SlotC* slot
        self.output.choose(self.slots)
        now = now_ns()
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request == NULL or slot.n_planned == 0:
                continue
            reason = self.book(slot, now)
            if reason:
                self.finish(slot.request, reason)
        self.account(now_ns() - t_start)
        self.speculation.follow()

    cdef int32_t book(self, SlotC* slot, int64_t now) noexcept nogil:
        """Book a slot's computed rows but those of rejected drafts, whose cells go, and append what
        they gave; returns why its request ends (`FinishC`), if it does."""
        cdef RequestC* request = slot.request
        cdef int32_t n_draft = request.n_draft, n_booked = slot.n_planned
        cdef int32_t reason = FINISH_NONE
        self.output.note_progress(request, request.n_past + slot.n_planned)
        if request.i_row >= 0:
            reason = self.output.take(slot, now)
            n_booked += slot.n_verified - 1 - n_draft
        elif n_pending(request) == slot.n_planned:
            reason = FINISH_LENGTH
        self.pool.extend(slot.i_sequence, request.tokens + request.n_past, n_booked)
        request.n_past += n_booked
        if n_draft > 0:
            request.n_draft = 0
            self.speculation.count(slot, n_draft)
        if n_booked < slot.n_planned:
            self.drop_rejected(slot)
        self.admission.mark(request, slot.i_sequence)
        if request.has_progress and reason == FINISH_NONE:
            self.output.report(request, 0)
        return reason

    cdef void drop_rejected(self, SlotC* slot) noexcept nogil:
        """Free the cells of rejected drafts. If the memory has to give up all cells for that, they
        are computed again, and nothing more is drafted for the request."""
        cdef RequestC* request = slot.request
        self.pool.drop_unbooked(slot.i_sequence)
        if self.pool.length(slot.i_sequence) < request.n_past:
            request.n_past = request.n_branch = 0
            request.is_moved = False
            request.n_draft_max = 0

    cdef void account(self, int64_t elapsed) noexcept nogil:
        """Charge the step's time, in nanoseconds, by the share of prompt and output rows."""
        cdef int64_t prefill_ns = elapsed * self.n_prompt_rows // self.batch.c.n_tokens
        cdef int64_t draft_ns = self.speculation.learn(self.plan, elapsed)
        self.plan.observe(elapsed - draft_ns)
        self.counters.n_steps += 1
        self.counters.n_prompt_tokens += self.n_prompt_rows
        self.counters.prefill_ns += prefill_ns
        self.counters.decode_ns += elapsed - prefill_ns

    cdef void finish(self, RequestC* request, int32_t reason) noexcept nogil:
        """End a request: park its cells, release all of its text, say why."""
        self.pool.discard(request)
        if request.i_slot >= 0:
            self.leave(request.i_slot)
        request.finish = reason
        self.counters.n_finished[reason] += 1
        self.output.report(request, request.text.n_held)

    cdef void publish(self) noexcept nogil:
        self.set_gauges()
        self.output.publish()

    cdef void set_gauges(self) noexcept nogil:
        self.counters.n_running = self.slots.n_live
        self.counters.n_waiting = self.waiting.n
        self.counters.n_throttled = self.throttle.n_throttled
        self.counters.n_cells_used = <int> self.pool.n_used()
        self.counters.n_checkpoints = self.pool.checkpoints.n_checkpoints
        self.counters.n_checkpoint_bytes = self.pool.checkpoints.n_bytes

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
        """Invariants of the debug build."""
        cdef int32_t i
        cdef SlotC* slot
        self.pool.check()
        self.speculation.check()
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request != NULL and slot.i_sequence >= 0 and (
                    slot.request.n_past != self.pool.length(slot.i_sequence)):
                fail("a request has computed another number of tokens than its sequence holds")
            if slot.request != NULL and slot.request.n_branch > slot.request.n_tokens:
                fail("a request shares more tokens than it knows")


cdef int64_t thread_ns() noexcept nogil:
    """CPU time of the calling thread, in nanoseconds."""
    cdef timespec t
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t)
    return <int64_t> t.tv_sec * 1_000_000_000 + t.tv_nsec
