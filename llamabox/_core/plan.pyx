"""What a step computes: how many of its missing tokens each live slot gets.

Decode rows go first, one for each slot that lacks a single token. Then come the drafts of those
slots, as far as prompts are left a chunk. Prompts share a budget. While something decodes, the
budget is what the measured costs allow within the target for the time between two tokens; else it
is the whole batch.

Where a memory has a sliding window, a slot's rows must not be computed in two parts of a step:
llama.cpp places all parts before it computes the first one. What it purges for a later part, since
it has left the window by then, it does not bring back for the earlier rows that attend to it, but
for the cells that it has overwritten. Behind a single row it purges nothing else.
"""
from .request cimport n_pending, n_to_cut
from .slots cimport SlotC, is_decoding, is_ready

cdef enum:
    MIN_OBSERVED = 8      # prompt rows that tell something of a row's cost

# Without a target, a step that prefills may take this many times what one without does.
cdef double STRETCH = 4.0
cdef double SMOOTHING = 0.2


cdef class Plan:
    """The planner of one scheduler's steps.

    :param slots: planned rows are written into them.
    :param n_batch: rows of a step at most.
    :param n_ubatch: prompt rows at most of a step that decodes.
    :param n_chunk: prompt rows of a step at least, whatever they cost; more of them are a multiple.
    :param target_ns: the time between two tokens to keep to; 0 for `STRETCH` times the
        measured time of a step that only decodes.
    :param needs_equal_rows: the memory computes rows at once only if its sequences have as many of
        them each (llama.cpp's `split_equal`).
    :param is_windowed: the memory has a sliding window.
    """

    def __cinit__(self, Slots slots not None, int32_t n_batch, int32_t n_ubatch,
                  int32_t n_chunk, int64_t target_ns=0, bint needs_equal_rows=False,
                  bint is_windowed=False):
        self.slots = slots
        self.n_batch = min(n_batch, n_ubatch) if is_windowed else n_batch
        self.n_ubatch = n_ubatch
        self.n_chunk = min(n_chunk, n_ubatch)
        self.target_ns = target_ns
        self.needs_equal_rows = needs_equal_rows
        self.is_windowed = is_windowed

    cdef bint choose(self, int64_t n_available) noexcept nogil:
        """Set every slot's `n_planned`; False, with none set, if too few cells are available.

        Slots that may put nothing out now get no row that would give a token, and those whose turn
        it is not get none.
        """
        cdef int32_t i, n_room
        cdef SlotC* slot
        cdef bint is_usable = False
        self.n_decode = self.n_draft = self.n_prefill = self.n_held = 0
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            slot.n_planned = 0
            is_usable = is_usable or n_usable(slot) > 0
            if is_decoding(slot):
                self.n_decode += may_decode(slot)
                self.n_held += not may_decode(slot)
        if self.n_decode > n_available:
            return False
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if is_decoding(slot) and may_decode(slot):
                slot.n_planned = 1
        n_room = <int32_t> min(n_available, <int64_t> self.n_batch) - self.n_decode
        self.share_drafts(n_room - min(self.n_chunk, self.n_undecided()))
        self.share_out(min(n_room - self.n_draft, self.prefill_budget()))
        if self.is_windowed and self.n_draft > 0 and not self.are_whole():
            self.drop_drafts()
        return self.n_decode + self.n_prefill > 0 or not is_usable

    cdef int32_t n_undecided(self) noexcept nogil:
        """Rows that prompts could take."""
        cdef int32_t i, n = 0
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned == 0:
                n += n_usable(slot)
        return n

    cdef void share_drafts(self, int64_t n_room) noexcept nogil:
        """Add the rows of drafts, which are cut short where there is no room for them."""
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned == 0 or slot.request.n_draft == 0:
                continue
            slot.request.n_draft = <int32_t> max(0, min(n_room, <int64_t> slot.request.n_draft))
            if slot.request.n_draft < slot.request.n_draft_min:
                slot.request.n_draft = 0
            slot.n_planned += slot.request.n_draft
            self.n_draft += slot.request.n_draft
            n_room -= slot.request.n_draft

    cdef void drop_drafts(self) noexcept nogil:
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned > 0 and slot.request.n_draft > 0:
                slot.n_planned -= slot.request.n_draft
                slot.request.n_draft = 0
        self.n_draft = 0

    cdef bint is_one_computation(self) noexcept nogil:
        """Whether llama.cpp computes all planned rows at once."""
        return self.are_equal(1)

    cdef bint are_whole(self) noexcept nogil:
        """Whether no slot's rows are computed in two parts, but for a single one ahead."""
        return (self.n_decode + self.n_draft + self.n_prefill <= self.n_ubatch
                and self.are_equal(2))

    cdef bint are_equal(self, int32_t n_least) noexcept nogil:
        """Whether the slots with `n_least` rows or more have as many each, or need not."""
        cdef int32_t i, n = 0
        cdef SlotC* slot
        if not self.needs_equal_rows:
            return True
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned < n_least:
                continue
            if n > 0 and slot.n_planned != n:
                return False
            n = slot.n_planned
        return True

    cdef double spare_ns(self) noexcept nogil:
        """Nanoseconds that a step may take beyond one that only decodes."""
        return max(0, (self.target_ns or STRETCH * self.decode_ns) - self.decode_ns)

    cdef int64_t expected_ns(self) noexcept nogil:
        """What the next step takes, about, if something decodes: by now, and with prompts."""
        cdef int32_t i
        cdef int64_t n = 0
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if is_ready(slot) and not is_decoding(slot):
                n += n_pending(slot.request)
        return <int64_t> (self.decode_ns + min(self.spare_ns(), n * self.prefill_row_ns))

    cdef int32_t prefill_budget(self) noexcept nogil:
        """Those whose bucket is empty now, or whose turn it is not, wait for their next token like
        those that decode."""
        cdef int32_t n_rows
        if self.n_decode + self.n_held == 0:
            return self.n_batch
        if self.decode_ns == 0 or self.prefill_row_ns == 0:
            return self.n_ubatch
        n_rows = <int32_t> min(<double> self.n_ubatch, self.spare_ns() / self.prefill_row_ns)
        return max(n_rows - n_rows % self.n_chunk, self.n_chunk)

    cdef void share_out(self, int32_t budget) noexcept nogil:
        """Give the budget to prompts, one after another; to one alone if the others would cut it
        apart."""
        cdef int32_t i
        cdef SlotC* slot
        cdef bint takes_one = self.is_windowed and self.needs_equal_rows
        while budget > 0 and not (takes_one and self.n_prefill > 0):
            i = self.next_prompt()
            if i < 0:
                break
            slot = &self.slots.slots[i]
            slot.n_planned = min(n_usable(slot), budget)
            budget -= slot.n_planned
            self.n_prefill += slot.n_planned
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned == 0 and n_usable(slot) > 0:
                slot.n_passed += 1

    cdef int32_t next_prompt(self) noexcept nogil:
        """The slot with the shortest rest of a prompt, or -1.

        Each step in which a prompt gets nothing takes `n_ubatch` tokens off its rest for good, so
        it is passed over about as often as it has ubatches.
        """
        cdef int32_t i, best = -1
        cdef int64_t rest, least = 0
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned > 0 or n_usable(slot) == 0:
                continue
            rest = n_pending(slot.request) - <int64_t> slot.n_passed * self.n_ubatch
            if best < 0 or rest < least:
                best = i
                least = rest
        return best

    cdef void observe(self, int64_t elapsed) noexcept nogil:
        """Learn from the duration, in nanoseconds, of the step that was planned last, less what its
        drafts took."""
        if self.n_prefill == 0:
            self.decode_ns = smoothed(self.decode_ns, elapsed)
        elif self.n_prefill >= MIN_OBSERVED:
            if self.n_decode > 0:
                elapsed -= <int64_t> self.decode_ns
            self.prefill_row_ns = smoothed(
                self.prefill_row_ns, max(elapsed, 0) / <double> self.n_prefill)


cdef int32_t n_usable(const SlotC* slot) noexcept nogil:
    """Rows that a slot could use; all but the last one, if that would give a token that it may
    not put out; none if it is not its turn."""
    cdef int32_t n
    if slot.waits_turn or not is_ready(slot):
        return 0
    n = n_to_cut(slot.request)
    return n - (slot.request.n_allowed == 0 and n == n_pending(slot.request))


cdef inline bint may_decode(const SlotC* slot) noexcept nogil:
    """Whether a slot that decodes gets its row."""
    return slot.request.n_allowed > 0 and not slot.waits_turn


cdef double smoothed(double mean, double value) noexcept nogil:
    return value if mean == 0 else mean + SMOOTHING * (value - mean)
