"""The seam for what drafts beside the target model: a smaller model, or heads of the target's.

A draft costs nothing but time if it is wrong, so a drafter never fails a request: what it cannot
do, it leaves.

Multi-token prediction is one more subclass: its `follow` takes the hidden states of the rows that
were those of what is known now from the target's context, its `draft` runs the heads on them.
"""


cdef class Drafter:
    """Drafts for the slots of one scheduler; this one never does.

    The scheduler's thread calls it, without the GIL, in every step: `draft` before the step is
    planned, `follow` after the forward, when what it gave is known, and `leave` at any time between
    them.

    A subclass keeps its own record of each slot, by its index, [0, `slots.n_slots`), and compares
    it with the slot's request (`slots.slots[i].request`, NULL if idle): another `arrival` means
    another request, whose tokens may begin with those in the record; another `n_discarded` means a
    context shift, which took tokens behind the first `n_keep`. A request that was preempted comes
    back with its `arrival`, to any slot. Known are `request.tokens[0:n_tokens]`: they never change
    otherwise, but for becoming more.

    :ivar depth_ns: nanoseconds that one token more takes for all slots that draft together,
        smoothed; 0 until it has been measured.
    :ivar n_unwanted: steps in which slots decoded since a draft of it was worth its cost; kept by
        the caller.
    """

    cdef void draft(self, Slots slots, int64_t spare_ns) noexcept nogil:
        """Draft for all slots that want it.

        For each slot whose `n_wanted` is above 0: at most so many tokens, fewer if one is less
        probable than `request.draft_p_min`, handed over by `request_draft(request, tokens, n)`,
        once. All are ids of the target's vocabulary. The caller drops a draft that is shorter than
        `request.n_draft_min`. Where nothing could be tried, `n_wanted` becomes 0: that says nothing
        of how probable tokens are. Such a slot decodes: all known tokens of its request but the
        last are in the target's cells. Prompts of other slots may be followed meanwhile.

        :param spare_ns: what the step may be kept waiting for that.
        """

    cdef void follow(self, Slots slots) noexcept nogil:
        """Look at what a forward has left.

        For each slot with `n_planned` above 0, so many rows were computed. `request.n_tokens` are
        known now, and `request.n_past` of them are in the target's cells: what was rejected is
        gone. Requests that ended have left. The context's output is still that of the forward: its
        row `request.i_row + i`, if `i_row` is not negative, comes after i tokens of the draft, and
        the first `slot.n_verified` of these rows were those of what is known now.
        """

    cdef void leave(self, int32_t i_slot, const RequestC* request) noexcept nogil:
        """A request is about to leave its slot, for good or not; its tokens are still known."""

    cdef void check(self, Slots slots) noexcept nogil:
        """Invariants of the debug build, at the end of a step."""
