"""Slots: which sequence holds what, which request lives where, and how many cells are used.

Slot i owns the sequence id i. A slot is live (it has a request), parked (idle, its cells still
hold a prefix worth reusing) or empty. This module keeps the books; the scheduler moves the cells.
"""
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy


cdef class Slots:
    """`n_slots` slots over one pool of `n_cells` cells."""

    def __cinit__(self, int32_t n_slots, int32_t n_cells):
        self.n_slots = n_slots
        self.n_cells = n_cells
        self.slots = <SlotC*> calloc(n_slots, sizeof(SlotC))
        if self.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int32_t i
        if self.slots != NULL:
            for i in range(self.n_slots):
                free(self.slots[i].parked)
        free(self.slots)

    cdef int32_t acquire(self, RequestC* request, int32_t* n_prefix) noexcept nogil:
        """The idle slot that holds the longest prefix of the request's known tokens, of equals
        the one parked longest ago; -1 if none is idle. One known token stays uncomputed."""
        cdef int32_t i, n, best = -1
        cdef SlotC* slot
        n_prefix[0] = 0
        for i in range(self.n_slots):
            slot = &self.slots[i]
            if slot.request != NULL:
                continue
            n = common_prefix(slot.parked, request.tokens,
                              min(slot.n_cells, request.n_tokens - 1))
            if best < 0 or n > n_prefix[0] or (
                    n == n_prefix[0] and slot.parked_at < self.slots[best].parked_at):
                best = i
                n_prefix[0] = n
        return best

    cdef void occupy(self, int32_t i, RequestC* request, int32_t n_cells) noexcept nogil:
        """Make an idle slot live; `n_cells` are what is left of its parked prefix."""
        cdef SlotC* slot = &self.slots[i]
        self.n_used += n_cells - slot.n_cells
        self.n_parked -= slot.n_cells
        self.n_live += 1
        slot.n_cells = n_cells
        slot.n_planned = 0
        slot.request = request
        request.i_slot = i
        request.n_past = n_cells

    cdef void grow(self, int32_t i, int32_t n) noexcept nogil:
        """A forward has computed `n` more positions of a live slot."""
        self.slots[i].n_cells += n
        self.slots[i].request.n_past += n
        self.n_used += n

    cdef void vacate(self, int32_t i, int32_t n_parked) noexcept nogil:
        """Make a live slot idle; its sequence holds `n_parked` tokens of the request now."""
        cdef SlotC* slot = &self.slots[i]
        cdef RequestC* request = slot.request
        cdef void* kept = realloc(slot.parked, max(n_parked, 1) * sizeof(llama_token))
        if kept != NULL:
            slot.parked = <llama_token*> kept
            memcpy(kept, request.tokens, n_parked * sizeof(llama_token))
        self.n_used += n_parked - slot.n_cells
        self.n_parked += n_parked
        self.n_live -= 1
        self.n_parkings += 1
        slot.parked_at = self.n_parkings
        slot.n_cells = n_parked
        slot.n_planned = 0
        slot.request = NULL
        request.i_slot = -1
        request.n_past = 0

    cdef void forget(self, int32_t i) noexcept nogil:
        """A parked slot's cells have been freed."""
        self.n_used -= self.slots[i].n_cells
        self.n_parked -= self.slots[i].n_cells
        self.slots[i].n_cells = 0

    cdef int32_t oldest_parked(self) noexcept nogil:
        """The idle slot with cells that was parked longest ago, or -1."""
        cdef int32_t i, oldest = -1
        for i in range(self.n_slots):
            if self.slots[i].request == NULL and self.slots[i].n_cells > 0 and (
                    oldest < 0 or self.slots[i].parked_at < self.slots[oldest].parked_at):
                oldest = i
        return oldest

    cdef int32_t newest_live(self) noexcept nogil:
        """The slot of the live request that arrived last, or -1."""
        cdef int32_t i, newest = -1
        cdef RequestC* request
        for i in range(self.n_slots):
            request = self.slots[i].request
            if request != NULL and (
                    newest < 0 or request.sequence > self.slots[newest].request.sequence):
                newest = i
        return newest

    cdef int32_t n_free(self) noexcept nogil:
        """Cells that hold nothing."""
        return self.n_cells - self.n_used

    cdef int32_t n_available(self) noexcept nogil:
        """Cells that hold nothing, or nothing but a parked prefix."""
        return self.n_cells - self.n_used + self.n_parked


cdef int32_t common_prefix(const llama_token* a, const llama_token* b, int32_t n) noexcept nogil:
    cdef int32_t i = 0
    while i < n and a[i] == b[i]:
        i += 1
    return i
