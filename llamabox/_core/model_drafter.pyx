"""Drafting by a smaller model of the same vocabulary, in a context and with cells of its own.

The context has a sequence for each slot, and a pool like the target's: a request starts from the
longest prefix that any sequence holds, what it leaves is parked, and what was guessed wrong is cut.
So reuse of prefixes, preemption and choices need nothing of their own here; after a context shift
what is behind the kept tokens is computed again.

All slots draft together, in one batch per depth. The first batch also computes what has become
known since the last one, most often a token or two for each slot. A prompt is computed behind the
target, in chunks as long as the step may be kept waiting; its slot drafts once that is done.

The books never hold a guess: cells of guesses are *loose* until the next draft, which books those
that have come true and trims the others.
"""
from libc.math cimport exp
from libc.stdlib cimport calloc, free

from .checkpoints cimport Checkpoints
from .context cimport MEMORY_CELLS
from .logprobs cimport log_sum_exp
from .partitions cimport Partitions
from .pool cimport fail
from .request cimport request_draft
from .sampler cimport best_token
from .slots cimport is_decoding
from .sync cimport now_ns
from .types cimport MAX_DRAFT

cdef enum:
    SHORT = 32            # missing tokens that are computed whatever the step may be kept waiting
    MIN_CHUNK = 32        # rows of prompts in a step, at least
    PATIENCE = 16         # steps without a draft worth its cost; then prompts are not followed
    MIN_OBSERVED = 16     # rows of a forward that tell something of a row's cost

cdef double SMOOTHING = 0.2
# What is quicker tells more: nothing was in its way.
cdef double SMOOTHING_DOWN = 0.5
# A measurement counts for so many times the mean at most: something else took the core.
cdef double CREDIBLE = 2.0


cdef class ModelDrafter(Drafter):
    """Drafts with the model of a context.

    :param context: of the draft model; a memory of cells (`MEMORY_CELLS`), empty, which belongs to
        the drafter from now on.
    :param vocab: of the target model.
    :param n_vocab: tokens of the draft model. The ids that both models have mean the same.
    :param n_slots: of the scheduler; `n_seq_max` of the context at most.
    :param n_cells: see `Scheduler`.
    """

    def __cinit__(self, Context context not None, Vocab vocab not None, int32_t n_vocab,
                  int32_t n_slots, int32_t n_cells):
        cdef int32_t i
        if context.kind != MEMORY_CELLS:
            raise ValueError("the memory of the draft model cannot be cut")
        pool = Partitions if context.is_partitioned else Pool
        self.context = context
        self.pool = pool(context, n_cells, 0, Checkpoints(0, 0))
        self.batch = Batch(context.n_batch)
        self.vocab = vocab
        self.n_readable = n_vocab
        self.n_offered = min(n_vocab, vocab.c.n_tokens)
        self.n_slots = n_slots
        self.tails = <TailC*> calloc(n_slots, sizeof(TailC))
        self.order = <int32_t*> calloc(n_slots, sizeof(int32_t))
        self.guesses = <llama_token*> calloc(n_slots * MAX_DRAFT, sizeof(llama_token))
        if self.tails == NULL or self.order == NULL or self.guesses == NULL:
            raise MemoryError
        for i in range(n_slots):
            self.tails[i].i_sequence = -1

    def __dealloc__(self):
        free(self.tails)
        free(self.order)
        free(self.guesses)

    def sequence_lengths(self):
        """Tokens that each sequence holds by the books; of an idle scheduler."""
        return [self.pool.length(i) for i in range(self.pool.tree.n_sequences)]

    cdef void draft(self, Slots slots, int64_t spare_ns) noexcept nogil:
        cdef int32_t i, depth = 0
        cdef int64_t t_start
        cdef SlotC* slot
        self.gather(slots)
        self.catch_up(slots, self.chunk(slots, spare_ns))
        while self.batch.c.n_tokens > 0:
            t_start = now_ns()
            if not self.forward(slots):
                break
            if depth == 0:
                self.book(slots)
            else:
                self.loosen()
            self.guess(slots)
            self.observe(now_ns() - t_start)
            self.add_guesses(slots)
            depth += 1
        for i in range(self.n_slots):
            slot = &slots.slots[i]
            if not self.tails[i].was_tried:
                slot.n_wanted = 0
            elif self.tails[i].n_guessed > 0:
                request_draft(slot.request, self.guesses + i * MAX_DRAFT, self.tails[i].n_guessed)

    cdef void leave(self, int32_t i_slot, const RequestC* request) noexcept nogil:
        cdef TailC* tail = &self.tails[i_slot]
        if tail.i_sequence >= 0:
            self.reconcile(i_slot, request)
            self.pool.leave(tail.i_sequence)
            tail.i_sequence = -1

    cdef void gather(self, Slots slots) noexcept nogil:
        """Settle all guesses of the last draft, and list the slots to draft for, or to follow."""
        cdef int32_t i, j
        cdef SlotC* slot
        self.n_ordered = 0
        for i in range(self.n_slots):
            self.tails[i].n_rows = 0
            self.tails[i].is_guessing = self.tails[i].was_tried = False
            if self.tails[i].i_sequence >= 0:
                self.reconcile(i, slots.slots[i].request)
            self.tails[i].n_guessed = 0
        for i in range(self.n_slots):
            slot = &slots.slots[i]
            if not self.is_wanted(slot) or not self.begin(i, slot):
                continue
            j = self.n_ordered
            while j > 0 and (self.tails[self.order[j - 1]].i_sequence
                             > self.tails[i].i_sequence):
                self.order[j] = self.order[j - 1]
                j -= 1
            self.order[j] = i
            self.n_ordered += 1

    cdef bint is_wanted(self, const SlotC* slot) noexcept nogil:
        """Whether a slot is drafted for now, or is to be later and computes a prompt."""
        if slot.request == NULL or slot.i_sequence < 0:
            return False
        if is_decoding(slot):
            return slot.n_wanted > 0
        return slot.request.n_draft_max > 0 and self.n_unwanted < PATIENCE

    cdef bint begin(self, int32_t i_slot, const SlotC* slot) noexcept nogil:
        """Let a sequence follow the slot's request; False if there cannot be one."""
        cdef TailC* tail = &self.tails[i_slot]
        if tail.off == slot.request.arrival:
            return False
        if tail.i_sequence < 0:
            tail.i_sequence = self.pool.attach(
                self.pool.find(slot.request.tokens, slot.request.n_tokens - 1, slot.request.key),
                slot.request)
            tail.n_discarded = slot.request.n_discarded
        return True

    cdef void reconcile(self, int32_t i_slot, const RequestC* request) noexcept nogil:
        """Book the guesses that have come true, but for the last known token, and trim the rest."""
        cdef TailC* tail = &self.tails[i_slot]
        cdef llama_token* guesses = self.guesses + i_slot * MAX_DRAFT
        cdef bint has_shifted = request.n_discarded != tail.n_discarded
        cdef int32_t n = 0, n_held = self.pool.length(tail.i_sequence)
        cdef int32_t n_most = min(tail.n_loose, request.n_tokens - 1 - n_held)
        while n < n_most and not has_shifted and guesses[n] == request.tokens[n_held + n]:
            n += 1
        if n < tail.n_loose and (
                self.context.trim(tail.i_sequence, n_held + n) != n_held + n):
            # Others have taken cells of its window: it has to be computed again.
            self.pool.drop_unbooked(tail.i_sequence)
            n = 0
        self.n_loose -= tail.n_loose
        tail.n_loose = 0
        if n > 0:
            self.pool.extend(tail.i_sequence, guesses, n)
        if has_shifted:
            self.pool.cut(tail.i_sequence, request.n_keep)
            tail.n_discarded = request.n_discarded

    cdef int32_t chunk(self, Slots slots, int64_t spare_ns) noexcept nogil:
        """Rows of prompts that may be followed in this step."""
        cdef int32_t i
        for i in range(self.n_slots):
            if is_decoding(&slots.slots[i]):
                if self.row_ns == 0:
                    return MIN_CHUNK
                return <int32_t> max(<double> MIN_CHUNK, min(
                    spare_ns / self.row_ns, <double> self.context.n_ubatch))
        return self.batch.capacity

    cdef void catch_up(self, Slots slots, int32_t budget) noexcept nogil:
        """Fill the first batch with what is known and not computed: the slots that lack little and
        can draft, then of the others as much as the budget has room for."""
        cdef int32_t i, i_slot, n
        cdef SlotC* slot
        self.batch.clear()
        for i in range(self.n_ordered):
            i_slot = self.order[i]
            slot = &slots.slots[i_slot]
            n = self.n_missing(i_slot, slot)
            if n <= SHORT and is_decoding(slot) and (
                    n <= min(self.n_room(), self.batch.capacity - self.batch.c.n_tokens)):
                self.add(i_slot, slot, n)
        for i in range(self.n_ordered):
            i_slot = self.order[i]
            if self.tails[i_slot].n_rows > 0 or self.tails[i_slot].i_sequence < 0:
                continue
            slot = &slots.slots[i_slot]
            n = <int32_t> min(
                <int64_t> min(self.n_missing(i_slot, slot), budget),
                min(self.n_room(), <int64_t> self.batch.capacity - self.batch.c.n_tokens))
            self.add(i_slot, slot, n)
            budget -= self.tails[i_slot].n_rows
        if self.batch.c.n_tokens > 0:
            # So that the time of the forward is known: where it is not waited for, it seems free.
            self.batch.c.logits[self.batch.c.n_tokens - 1] = True

    cdef int32_t n_missing(self, int32_t i_slot, const SlotC* slot) noexcept nogil:
        """Tokens to compute for a slot: those that are known, or that the target has computed of a
        prompt; none if they do not fit the sequence."""
        cdef int32_t n_held = self.pool.length(self.tails[i_slot].i_sequence)
        cdef int32_t n = slot.request.n_tokens if is_decoding(slot) else slot.request.n_past
        return n - n_held if n <= self.pool.n_cells else 0

    cdef void add(self, int32_t i_slot, const SlotC* slot, int32_t n) noexcept nogil:
        """Put the next `n` known tokens of a slot into the batch; none if the draft model cannot
        read one of them, and then nothing more is drafted for the request."""
        cdef TailC* tail = &self.tails[i_slot]
        cdef int32_t i, n_held = self.pool.length(tail.i_sequence)
        cdef const llama_token* tokens = slot.request.tokens + n_held
        for i in range(n):
            if not 0 <= tokens[i] < self.n_readable:
                tail.off = slot.request.arrival
                self.pool.leave(tail.i_sequence)
                tail.i_sequence = -1
                return
        if n <= 0:
            return
        tail.is_guessing = is_decoding(slot) and n_held + n == slot.request.n_tokens
        tail.n_rows = n
        tail.i_row = self.batch.add(
            tail.i_sequence, n_held, tokens, n, 1 if tail.is_guessing else 0)

    cdef int64_t n_room(self) noexcept nogil:
        """Cells for more rows of the batch."""
        return self.pool.n_available() - self.n_loose - self.batch.c.n_tokens

    cdef bint forward(self, Slots slots) noexcept nogil:
        """Compute the batch; False if that failed, and then the failure is dealt with."""
        cdef int32_t code
        self.pool.make_room(self.n_loose + self.batch.c.n_tokens)
        code = self.context.forward(self.batch.c)
        if code == 1 and self.pool.evict_parked():
            code = self.context.forward(self.batch.c)
        self.n_forwards += 1
        self.n_rows += self.batch.c.n_tokens
        if code != 0 and code != 1:
            self.give_up(slots)
        return code == 0

    cdef void give_up(self, Slots slots) noexcept nogil:
        """Draft no more for the requests of a batch that llama.cpp failed on; their cells may be
        anything now."""
        cdef int32_t i
        for i in range(self.n_slots):
            if self.tails[i].n_rows > 0:
                self.tails[i].off = slots.slots[i].request.arrival
                self.drop(i)

    cdef void drop(self, int32_t i_slot) noexcept nogil:
        """Forget a slot's sequence, loose cells included."""
        cdef TailC* tail = &self.tails[i_slot]
        self.pool.evict(tail.i_sequence)
        self.n_loose -= tail.n_loose
        tail.n_loose = tail.n_rows = 0
        tail.i_sequence = -1

    cdef void book(self, Slots slots) noexcept nogil:
        """Book the rows of the first batch, which are known tokens."""
        cdef int32_t i
        cdef TailC* tail
        cdef SlotC* slot
        for i in range(self.n_slots):
            tail = &self.tails[i]
            if tail.n_rows > 0:
                slot = &slots.slots[i]
                self.pool.extend(
                    tail.i_sequence, slot.request.tokens + self.pool.length(tail.i_sequence),
                    tail.n_rows)

    cdef void loosen(self) noexcept nogil:
        """Count the cells of a later batch, which are those of guesses."""
        cdef int32_t i
        for i in range(self.n_slots):
            self.tails[i].n_loose += self.tails[i].n_rows
        self.n_loose += self.batch.c.n_tokens

    cdef void observe(self, int64_t elapsed) noexcept nogil:
        """Learn from the time of a forward what a depth costs, or a row of a prompt.

        A first batch that catches up with more than the last step says nothing of a depth: once
        drafts are worth their cost, it does not.
        """
        cdef int32_t n = self.batch.c.n_tokens
        if n <= 2 * self.n_guessing:
            self.depth_ns = smoothed(self.depth_ns, elapsed)
        elif n >= MIN_OBSERVED:
            self.row_ns = smoothed(self.row_ns, elapsed / <double> n)

    cdef void guess(self, Slots slots) noexcept nogil:
        """Take a token from each output row of the batch, where it is probable enough."""
        cdef int32_t i
        self.n_guessing = 0
        self.context.logits(self.batch.c.n_tokens - 1)
        for i in range(self.n_slots):
            if self.tails[i].is_guessing:
                self.n_guessing += 1
                self.tails[i].was_tried = True
                self.tails[i].is_guessing = self.guess_one(i, &slots.slots[i])

    cdef bint guess_one(self, int32_t i_slot, const SlotC* slot) noexcept nogil:
        """Append a slot's best token to its guesses; False if there is to be no other."""
        cdef TailC* tail = &self.tails[i_slot]
        cdef const float* logits = self.context.logits(tail.i_row)
        cdef llama_token token = best_token(logits, self.n_offered)
        if token < 0 or self.vocab.c.is_eog[token]:
            return False
        if exp(logits[token] - log_sum_exp(logits, self.n_offered)) < slot.request.draft_p_min:
            return False
        self.guesses[i_slot * MAX_DRAFT + tail.n_guessed] = token
        tail.n_guessed += 1
        return tail.n_guessed < min(slot.n_wanted, <int32_t> MAX_DRAFT)

    cdef void add_guesses(self, Slots slots) noexcept nogil:
        """Fill the next batch: the last guess of each slot that wants another, if it has room."""
        cdef int32_t i, i_slot, n_held
        cdef TailC* tail
        self.batch.clear()
        for i in range(self.n_slots):
            self.tails[i].n_rows = 0
        for i in range(self.n_ordered):
            i_slot = self.order[i]
            tail = &self.tails[i_slot]
            if not tail.is_guessing:
                continue
            n_held = self.pool.length(tail.i_sequence) + tail.n_loose
            tail.is_guessing = n_held < self.pool.n_cells and self.n_room() > 0
            if tail.is_guessing:
                tail.n_rows = 1
                tail.i_row = self.batch.add(
                    tail.i_sequence, n_held,
                    self.guesses + i_slot * MAX_DRAFT + tail.n_guessed - 1, 1, 1)

    cdef void check(self, Slots slots) noexcept nogil:
        """The memory holds what the books say, and the loose cells; the books nothing unknown."""
        cdef int32_t i, j, n_held, n_loose
        for i in range(self.n_slots):
            if self.tails[i].i_sequence >= 0 and slots.slots[i].request == NULL:
                fail("the drafter follows an idle slot")
        for i in range(self.pool.tree.n_sequences):
            n_loose = 0
            for j in range(self.n_slots):
                if self.tails[j].i_sequence == i:
                    n_loose = self.tails[j].n_loose
            n_held = self.context.library.c.memory_seq_pos_max(self.context.memory, i) + 1
            if n_held != self.pool.length(i) + n_loose:
                fail("a sequence of the draft model holds other cells than the books say")
        if self.pool.n_free() < self.n_loose:
            fail("the books have more cells than the draft model's pool")


cdef double smoothed(double mean, double value) noexcept nogil:
    if mean == 0:
        return value
    if value < mean:
        return mean + SMOOTHING_DOWN * (value - mean)
    return mean + SMOOTHING * (min(value, CREDIBLE * mean) - mean)
