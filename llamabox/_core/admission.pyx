"""Where a request starts: whether the pool has room for it, and which prefix it begins with."""
from .pool cimport MatchC
from .prefix cimport common_prefix
from .request cimport n_lasting
from .slots cimport SlotC, n_expected

# Tokens of a common prefix that make it worth waiting for the request that is computing it.
cdef int32_t MIN_BRANCH = 32


cdef class Admission:
    """The admission of requests to the slots of one scheduler and the cells of its pool."""

    def __cinit__(self, Slots slots not None, Pool pool not None):
        self.slots = slots
        self.pool = pool

    cdef bint has_room(self, RequestC* request) noexcept nogil:
        """Whether the pool holds the request beside what the live ones hold and are about to.

        Once it does not, it cannot until some slot changes hands or gives up cells.
        """
        cdef bint fits
        if self.slots.n_live == 0:
            return True
        if request.arrival == self.refused and self.slots.n_changes == self.refused_at:
            return False
        request.n_branch = self.longest_live_prefix(request)
        fits = self.slots.n_expected() + n_expected(request) <= self.pool.n_available()
        if not fits:
            self.refuse(request)
        return fits

    cdef void refuse(self, const RequestC* request) noexcept nogil:
        """Have no room for a request until some slot changes hands or gives up cells."""
        self.refused = request.arrival
        self.refused_at = self.slots.n_changes

    cdef bint begin(self, int32_t i_slot) noexcept nogil:
        """Let a slot's request start from the longest prefix that any sequence holds.

        False if it waits for a live request that is about to hold a longer one.
        """
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef RequestC* request = slot.request
        cdef MatchC match = self.pool.find(request.tokens, request.n_tokens - 1)
        if request.n_saved > (0 if request.is_moved else match.n_tokens):
            slot.i_sequence = self.pool.restore(request)
            if slot.i_sequence >= 0:
                request.n_past = self.pool.length(slot.i_sequence)
                return True
            match = self.pool.find(request.tokens, request.n_tokens - 1)
        self.pool.discard(request)
        request.is_moved = False
        self.follow(i_slot, match.n_tokens)
        if slot.i_leader >= 0:
            return False
        slot.i_sequence = self.pool.attach(match)
        request.n_past = request.n_branch = self.pool.length(slot.i_sequence)
        return True

    cdef bint may_begin(self, int32_t i_slot) noexcept nogil:
        """Whether a slot waits for a leader that has computed the common prefix, or is gone."""
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef RequestC* leader
        if slot.request == NULL or slot.i_sequence >= 0:
            return False
        leader = self.slots.slots[slot.i_leader].request
        return (leader == NULL or leader.arrival != slot.leader
                or leader.n_past >= slot.request.n_branch)

    cdef int32_t longest_live_prefix(self, const RequestC* request) noexcept nogil:
        """Known tokens of a request that some live request shares."""
        cdef int32_t i, n, longest = 0
        cdef RequestC* other
        for i in range(self.slots.n_slots):
            other = self.slots.slots[i].request
            if other != NULL:
                n = common_prefix(other.tokens, request.tokens,
                                  min(n_lasting(other), request.n_tokens - 1))
                longest = max(longest, n)
        return longest

    cdef void follow(self, int32_t i_slot, int32_t n_match) noexcept nogil:
        """Find the live request that will share most with this one, if that is worth waiting."""
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef SlotC* other
        cdef RequestC* request = slot.request
        cdef int32_t i, n
        slot.i_leader = -1
        request.n_branch = n_match
        for i in range(self.slots.n_slots):
            other = &self.slots.slots[i]
            if i == i_slot or other.request == NULL or other.i_sequence < 0:
                continue
            n = common_prefix(other.request.tokens, request.tokens,
                              min(n_lasting(other.request), request.n_tokens - 1))
            if n >= n_match + MIN_BRANCH and n > request.n_branch:
                request.n_branch = n
                slot.i_leader = i
                slot.leader = other.request.arrival
