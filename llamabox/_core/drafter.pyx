"""What guesses the tokens that come next, for many requests at once: the seam of the step loop.

The step loop says how many tokens it wants for each slot (`SlotC.n_wanted`) before it plans a step,
and verifies what it gets. A guess costs nothing but time if it is wrong, so a drafter never fails a
request: what it cannot do, it leaves.

`model_drafter.ModelDrafter` asks a small model. One that uses the heads of the target model which
predict several tokens (multi-token prediction) would be another: its `draft` reads the hidden state
of each slot's last output row, which the target's forward has left behind, and runs the heads for
all slots together, one batch per depth; `depth_ns` is what a head costs, and `leave` forgets the
states. What a forward of the target has to leave behind for that is asked of `Context`.
"""


cdef class Drafter:
    """Drafts nothing; the base of those that do.

    :ivar depth_ns: nanoseconds that one token more takes for all slots that draft together,
        smoothed; 0 until it has been measured.
    """

    cdef void draft(self, Slots slots, int64_t spare_ns) noexcept nogil:
        """Draft behind the known tokens of slots with `n_wanted` above 0: `n_wanted` at most, and
        none where a prompt is still being computed, which may be followed meanwhile.

        What is found is given to `request_draft`.

        :param spare_ns: what the step may be kept waiting for long prompts to be followed.
        """

    cdef void leave(self, int32_t i_slot, const RequestC* request) noexcept nogil:
        """A request is about to leave its slot, for good or not; its tokens are still known."""

    cdef void check(self, Slots slots) noexcept nogil:
        """Invariants of the debug build, at the end of a step."""
