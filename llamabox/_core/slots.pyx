"""Slots: the requests that run, and on which sequence each of them does."""
from libc.stdlib cimport calloc, free

from .request cimport is_before, n_output

# Output tokens that admission keeps free for each live request, if it may still need them.
cdef int32_t HEADROOM = 64


cdef class Slots:
    """`n_slots` idle slots."""

    def __cinit__(self, int32_t n_slots):
        self.n_slots = n_slots
        self.slots = <SlotC*> calloc(n_slots, sizeof(SlotC))
        if self.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)

    cdef int32_t idle(self) noexcept nogil:
        """An idle slot, or -1."""
        cdef int32_t i
        for i in range(self.n_slots):
            if self.slots[i].request == NULL:
                return i
        return -1

    cdef void occupy(self, int32_t i, RequestC* request) noexcept nogil:
        self.slots[i] = SlotC(request, -1, -1, 0, 0, 0, -1)
        self.n_live += 1
        self.n_changes += 1
        request.i_slot = i
        request.n_past = 0

    cdef void vacate(self, int32_t i) noexcept nogil:
        self.slots[i].request.i_slot = -1
        self.slots[i].request.n_past = 0
        self.slots[i].request = NULL
        self.slots[i].n_planned = 0
        self.n_live -= 1
        self.n_changes += 1

    cdef int32_t last_ranked(self) noexcept nogil:
        """The slot of the live request that is served last of all, or -1."""
        cdef int32_t i, last = -1
        cdef RequestC* request
        for i in range(self.n_slots):
            request = self.slots[i].request
            if request != NULL and (last < 0 or is_before(self.slots[last].request, request)):
                last = i
        return last

    cdef int64_t n_expected(self) noexcept nogil:
        """Cells that the live requests are about to need beside those that they hold."""
        cdef int32_t i
        cdef int64_t n = 0
        for i in range(self.n_slots):
            if self.slots[i].request != NULL:
                n += n_expected(self.slots[i].request)
        return n


cdef int64_t n_expected(const RequestC* request) noexcept nogil:
    """Cells for what is known and not computed, and for the output that is about to come."""
    cdef int32_t n_more = min(request.n_predict - n_output(request),
                              request.n_window - request.n_tokens)
    return request.n_tokens - max(request.n_past, request.n_branch) + min(n_more, HEADROOM)
