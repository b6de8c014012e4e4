"""Drafts: tokens that a slot's next rows are computed for before it is known whether they come.

A step gives a slot that decodes `1 + n_draft` rows. Each of them is sampled as if it were alone, so
a draft changes how many forwards an output takes, and nothing else.
"""
from .request cimport n_draftable
from .slots cimport is_decoding
from .sync cimport now_ns


cdef class Speculation:
    """Drafting for the slots of one scheduler.

    :param slots: drafts are written into their requests.
    :param n_rows: rows that the drafts of a step take at most; 0 for no drafts at all.
    :param drafter: drafts where nothing else does; None for nobody.
    """

    def __cinit__(self, Slots slots not None, int32_t n_rows, Drafter drafter=None):
        self.slots = slots
        self.n_rows = n_rows
        self.drafter = drafter

    cdef void draft(self, int64_t spare_ns) noexcept nogil:
        """Draft for the slots that decode.

        :param spare_ns: what the step may be kept waiting for a drafter to follow prompts.
        """
        cdef int64_t started
        self.draft_ns = 0
        if self.n_rows == 0:
            return
        started = now_ns()
        self.want()
        if self.drafter is not None:
            self.drafter.draft(self.slots, spare_ns)
        self.drop_short()
        self.is_paused = False
        self.draft_ns = now_ns() - started

    cdef void want(self) noexcept nogil:
        """Say how many tokens are wanted for each slot; an earlier draft of its is gone."""
        cdef int32_t i, n_room = 0 if self.is_paused else self.n_rows
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            slot.n_wanted = 0
            if slot.request != NULL:
                slot.request.n_draft = 0
            if is_decoding(slot):
                slot.n_wanted = min(n_draftable(slot.request), n_room)
                n_room -= slot.n_wanted

    cdef void drop_short(self) noexcept nogil:
        """Drop the drafts that are shorter than their requests want them."""
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request != NULL and slot.request.n_draft < slot.request.n_draft_min:
                slot.request.n_draft = 0

    cdef void pause(self) noexcept nogil:
        """Have no drafts in the next step."""
        self.is_paused = True

    cdef void count(self, SlotC* slot, int32_t n_draft) noexcept nogil:
        """Learn what became of a slot's draft of `n_draft` tokens."""
        cdef int32_t i, n_accepted = min(slot.n_accepted, slot.n_verified)
        slot.request.n_drafted += n_draft
        self.counters.n_drafted += n_draft
        self.counters.n_draft_accepted += n_accepted
        for i in range(n_accepted):
            self.counters.n_accepted_at[i] += 1

    cdef void follow(self) noexcept nogil:
        """Let the drafter follow a forward."""
        if self.drafter is not None:
            self.drafter.follow(self.slots)

    cdef void leave(self, int32_t i_slot) noexcept nogil:
        """Forget a slot's request, which is about to leave it."""
        if self.drafter is not None:
            self.drafter.leave(i_slot, self.slots.slots[i_slot].request)

    cdef void check(self) noexcept nogil:
        """Invariants of the debug build."""
        if self.drafter is not None:
            self.drafter.check(self.slots)
