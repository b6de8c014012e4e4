"""Slots: the requests that run, and on which sequence each of them does."""
from libc.stdlib cimport calloc, free

from .request cimport is_before, n_output, n_pending

# Output tokens that admission keeps free for each live request, if it may still need them.
cdef int32_t HEADROOM = 64

# Computed tokens of a prompt that make it worth computing apart from rows that decode.
cdef int32_t LONG = 512


cdef class Slots:
    """`n_slots` idle slots."""

    def __cinit__(self, int32_t n_slots):
        self.n_slots = n_slots
        self.slots = <SlotC*> calloc(n_slots, sizeof(SlotC))
        self.arranged = <int32_t*> calloc(n_slots, sizeof(int32_t))
        if self.slots == NULL or self.arranged == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)
        free(self.arranged)

    cdef int32_t idle(self) noexcept nogil:
        """An idle slot, or -1."""
        cdef int32_t i
        for i in range(self.n_slots):
            if self.slots[i].request == NULL:
                return i
        return -1

    cdef int32_t idle_for(self, const RequestC* request) noexcept nogil:
        """An idle slot, the one that a request prefers if that is idle; or -1."""
        cdef int32_t i = request.i_preferred
        if 0 <= i < self.n_slots and self.slots[i].request == NULL:
            return i
        return self.idle()

    cdef void occupy(self, int32_t i, RequestC* request) noexcept nogil:
        self.slots[i] = SlotC(request, -1, -1, 0, 0, False, 0, 0, 0, 0, -1)
        self.n_live += 1
        self.n_changes += 1
        request.i_slot = request.i_last = i
        request.n_past = 0

    cdef void vacate(self, int32_t i) noexcept nogil:
        self.slots[i].request.i_slot = -1
        self.slots[i].request.n_past = 0
        self.slots[i].request.n_draft = 0
        self.slots[i].request = NULL
        self.slots[i].n_planned = 0
        self.n_live -= 1
        self.n_changes += 1

    cdef void arrange(self) noexcept nogil:
        """Fill `arranged`.

        llama.cpp computes the rows of streams at once as far as their ids follow one another, and
        each of them then over as many cells as the longest. So runs of ids are kept, a long prompt
        is one of its own, and the runs are put in falling order, in which no two are joined.
        """
        cdef int32_t i, j, first = 0
        self.n_arranged = 0
        for i in range(self.n_slots):
            if self.slots[i].n_planned == 0:
                continue
            j = self.n_arranged
            while j > 0 and (self.slots[self.arranged[j - 1]].i_sequence
                             < self.slots[i].i_sequence):
                self.arranged[j] = self.arranged[j - 1]
                j -= 1
            self.arranged[j] = i
            self.n_arranged += 1
        for i in range(self.n_arranged):
            if i + 1 == self.n_arranged or not follows(
                    &self.slots[self.arranged[i]], &self.slots[self.arranged[i + 1]]):
                reverse(self.arranged + first, i + 1 - first)
                first = i + 1

    cdef int32_t last_ranked(self) noexcept nogil:
        """The slot of the live request that is served last of all, or -1."""
        cdef int32_t i, last = -1
        cdef RequestC* request
        for i in range(self.n_slots):
            request = self.slots[i].request
            if request != NULL and (last < 0 or is_before(self.slots[last].request, request)):
                last = i
        return last

    cdef bint has_ready(self) noexcept nogil:
        """Whether a slot may compute."""
        return self.n_unready() < self.n_live

    cdef int32_t n_unready(self) noexcept nogil:
        """Live requests that may not compute."""
        cdef int32_t i, n = 0
        for i in range(self.n_slots):
            n += self.slots[i].request != NULL and not is_ready(&self.slots[i])
        return n

    cdef bint has_decoding(self) noexcept nogil:
        """Whether a slot decodes."""
        cdef int32_t i
        for i in range(self.n_slots):
            if is_decoding(&self.slots[i]):
                return True
        return False

    cdef int64_t n_expected(self) noexcept nogil:
        """Cells that the live requests are about to need beside those that they hold."""
        cdef int32_t i
        cdef int64_t n = 0
        for i in range(self.n_slots):
            if self.slots[i].request != NULL:
                n += n_expected(self.slots[i].request)
        return n


cdef bint is_ready(const SlotC* slot) noexcept nogil:
    """Whether its request waits neither for another's prefix nor for one from the second tier."""
    return slot.request != NULL and slot.i_sequence >= 0 and slot.request.fetch == NULL


cdef bint is_decoding(const SlotC* slot) noexcept nogil:
    return is_ready(slot) and n_pending(slot.request) == 1


cdef bint follows(const SlotC* slot, const SlotC* before) noexcept nogil:
    """Whether the rows of a slot are best computed with those of another."""
    cdef const SlotC* prompt = before if is_decoding(slot) else slot
    if slot.i_sequence != before.i_sequence + 1:
        return False
    return is_decoding(slot) == is_decoding(before) or prompt.request.n_past < LONG


cdef void reverse(int32_t* values, int32_t n) noexcept nogil:
    cdef int32_t i
    for i in range(n // 2):
        values[i], values[n - 1 - i] = values[n - 1 - i], values[i]


cdef int64_t n_expected(const RequestC* request) noexcept nogil:
    """Cells for what is known and not computed, and for the output that is about to come."""
    cdef int32_t n_more = min(request.n_predict - n_output(request),
                              request.n_window - request.n_tokens)
    return request.n_tokens - max(request.n_past, request.n_branch) + min(n_more, HEADROOM)
