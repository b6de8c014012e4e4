"""Whose turn a step is, where requests have different sets of LoRA adapters.

llama.cpp computes all rows of a forward with the adapters that its context has, so those of a step
are of one set. The sets of the requests that can compute something take turns, in the order of
their keys. Getting another set makes llama.cpp plan its buffers anew, so a turn lasts a while.
"""
from libc.stdint cimport int32_t

from .plan cimport n_usable
from .pool cimport fail
from .slots cimport SlotC

# A turn, if others wait; at least one step. The forward after it takes some milliseconds more, by
# the number of layers.
cdef int64_t TURN_NS = 50_000_000


cdef class Turns:
    """The turns of one scheduler's slots.

    :param has_adapters: whether requests may have any; without, nothing is to be done.
    """

    def __cinit__(self, Context context not None, Slots slots not None, bint has_adapters):
        self.context = context
        self.slots = slots
        self.has_adapters = has_adapters

    cdef void choose(self, int64_t now) noexcept nogil:
        """Say which slots may have rows in the next step: those of one set, if any can have."""
        cdef int32_t i
        cdef int64_t key
        cdef SlotC* slot
        if not self.has_adapters:
            return
        for i in range(self.slots.n_slots):
            self.slots.slots[i].waits_turn = False
        key = self.next_key(now)
        if key < 0:
            return
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            slot.waits_turn = slot.request != NULL and set_key(slot.request) != key

    cdef int64_t next_key(self, int64_t now) noexcept nogil:
        """The key of the set whose turn it is; -1 if no slot can compute anything.

        It is that which llama.cpp has, until its turn is over; then the next one above it.
        """
        cdef int32_t i
        cdef int64_t key, above = -1, lowest = -1
        cdef bint goes_on = False
        for i in range(self.slots.n_slots):
            if n_usable(&self.slots.slots[i]) == 0:
                continue
            key = set_key(self.slots.slots[i].request)
            goes_on = goes_on or key == self.key
            if lowest < 0 or key < lowest:
                lowest = key
            if key > self.key and (above < 0 or key < above):
                above = key
        if goes_on and now < self.t_end:
            return self.key
        return lowest if above < 0 else above

    cdef void apply(self, int64_t now) noexcept nogil:
        """Give llama.cpp the adapters of the step's rows; the forward follows."""
        cdef int32_t i
        cdef RequestC* request = NULL
        if not self.has_adapters:
            return
        for i in range(self.slots.n_slots):
            if self.slots.slots[i].n_planned > 0:
                request = self.slots.slots[i].request
                break
        if request == NULL:
            return
        if now >= self.t_end or set_key(request) != self.key:
            self.t_end = now + TURN_NS
        if set_key(request) == self.key:
            return
        self.key = set_key(request)
        self.n_turns += 1
        if request.adapters == NULL:
            self.context.library.c.set_adapters_lora(self.context.ctx, NULL, 0, NULL)
        else:
            self.context.library.c.set_adapters_lora(
                self.context.ctx, request.adapters.adapters, request.adapters.n,
                request.adapters.scales)

    cdef void check(self) noexcept nogil:
        """Invariants of the debug build, before a forward."""
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_planned > 0 and set_key(slot.request) != self.key:
                fail("a step has rows of another set of adapters than llama.cpp")
            if slot.n_planned > 0 and slot.request.adapters != NULL and (
                    slot.request.key != self.key):
                fail("a request's key is not that of its adapters")


cdef int64_t set_key(const RequestC* request) noexcept nogil:
    """0 for no adapters."""
    return 0 if request.adapters == NULL else request.adapters.key
