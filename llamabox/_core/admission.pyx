"""Where a request starts: whether the pool has room for it, and which prefix it begins with."""
from .checkpoints cimport MIN_CHECKPOINT
from .context cimport MEMORY_CELLS
from .fetch cimport Fetches
from .prefix cimport common_prefix
from .request cimport n_lasting
from .reuse cimport ReuseC, find_reuse, reuse
from .slots cimport SlotC, n_expected

# Tokens of a common prefix, summed over those that wait together, that make it worth waiting for
# the request that is computing it.
cdef int32_t MIN_BRANCH = 32
# The last checkpoint of a prompt is so many tokens before its end: the last one is always computed,
# and a template may begin the assistant's turn in another way when it is history.
cdef int32_t N_TAIL = 4


cdef class Admission:
    """The admission of requests to the slots of one scheduler and the cells of its pool.

    :param checkpoint_step: tokens of a prompt between two checkpoints.
    """

    def __cinit__(self, Slots slots not None, Pool pool not None, int32_t checkpoint_step):
        self.slots = slots
        self.pool = pool
        self.checkpoint_step = checkpoint_step
        if pool.tier is not None:
            self.fetches = Fetches(pool)

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

        False if it waits for a live request that is about to hold a longer one, for one from the
        second tier, or, for one step, for copies that are due before its checkpoint can be
        restored. Without another request to wait for, it is its own leader.
        """
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef bint has_waited = slot.i_leader == i_slot
        cdef RequestC* request = slot.request
        cdef ReuseC chunks
        cdef MatchC match = self.find(request)
        if request.n_saved > (0 if request.is_moved else match.n_tokens):
            slot.i_sequence = self.pool.restore(request)
            if slot.i_sequence >= 0:
                request.n_past = request.n_marked = self.pool.length(slot.i_sequence)
                return True
            match = self.find(request)
        self.pool.discard(request)
        request.is_moved = False
        chunks = find_reuse(self.pool, request, match.n_tokens)
        self.follow(i_slot, chunks.n_tokens)
        if slot.i_leader < 0 and self.fetches is not None and (
                not self.fetches.is_ready(request, chunks.n_tokens)):
            slot.i_leader = i_slot
            slot.leader = -1
        if not has_waited and slot.i_leader < 0 and match.found.n_tokens > 0 and (
                not self.pool.context.is_settled(match.found.i_whole < 0)):
            slot.i_leader = i_slot
            slot.leader = -1
        if slot.i_leader >= 0:
            return False
        if request.fetch != NULL and self.fetches.is_copied_whole:
            slot.i_sequence = self.fetches.restore(request)
            if slot.i_sequence < 0:
                match = self.find(request)
        elif request.fetch == NULL and chunks.i_source >= 0:
            slot.i_sequence = reuse(self.pool, &chunks, request)
        if slot.i_sequence < 0:
            slot.i_sequence = self.pool.attach(match, request)
        request.n_past = request.n_branch = self.pool.length(slot.i_sequence)
        request.n_marked = request.n_past
        request.n_common = match.n_common
        return True

    cdef MatchC find(self, const RequestC* request) noexcept nogil:
        """What the pool has of a request's known tokens, without the last one."""
        cdef int32_t n = 0 if request.starts_anew else request.n_tokens - 1
        return self.pool.find(request.tokens, n, request.key)

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
        cdef int32_t i, longest = 0
        cdef RequestC* other
        for i in range(self.slots.n_slots):
            other = self.slots.slots[i].request
            if other != NULL:
                longest = max(longest, self.n_shared(other, request))
        return longest

    cdef int32_t n_shared(self, const RequestC* leader, const RequestC* request) noexcept nogil:
        """Known tokens of a request that a live one has, or is about to have, in cells for both."""
        cdef int32_t n
        if leader.key != request.key or request.starts_anew:
            return 0
        n = common_prefix(leader.tokens, request.tokens,
                          min(n_lasting(leader), request.n_tokens - 1))
        if self.pool.context.kind != MEMORY_CELLS and leader.n_past > n:
            return 0
        return n

    cdef void follow(self, int32_t i_slot, int32_t n_match) noexcept nogil:
        """Find the live request that will share most with this one, if that is worth waiting.

        One of several requests that were submitted together waits as the others do.
        """
        cdef SlotC* slot = &self.slots.slots[i_slot]
        cdef SlotC* other
        cdef RequestC* request = slot.request
        cdef int32_t i, n
        cdef int32_t n_waiting = max(1, min(request.n_alike, self.slots.n_slots) - 1)
        slot.i_leader = -1
        request.n_branch = n_match
        for i in range(self.slots.n_slots):
            other = &self.slots.slots[i]
            if i == i_slot or other.request == NULL or other.i_sequence < 0:
                continue
            n = self.n_shared(other.request, request)
            if ((n - n_match) * n_waiting >= MIN_BRANCH and n > request.n_branch
                    and n >= self.pool.min_shared):
                request.n_branch = n
                slot.i_leader = i
                slot.leader = other.request.arrival

    cdef void set_cuts(self) noexcept nogil:
        """Say where the next chunk of each prompt ends, where sequences cannot be cut later.

        It ends at the next point that another request waits for, or that a checkpoint is for.
        """
        cdef int32_t i
        cdef SlotC* slot
        cdef SlotC* leader
        if self.pool.context.kind == MEMORY_CELLS:
            return
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request != NULL and slot.i_sequence >= 0:
                slot.request.n_cut = self.next_checkpoint(slot.request)
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request == NULL or slot.i_sequence >= 0:
                continue
            leader = &self.slots.slots[slot.i_leader]
            if leader.request != NULL and leader.request.arrival == slot.leader:
                leader.request.n_cut = nearer(
                    leader.request.n_cut, slot.request.n_branch, leader.request.n_past)

    cdef int32_t next_checkpoint(self, const RequestC* request) noexcept nogil:
        """The number of tokens at which a prompt's next checkpoint is taken, or 0.

        It is where the prompt leaves what others computed, or a step on, or near its end.
        """
        cdef int32_t n, last = request.n_prompt - N_TAIL
        if (self.pool.checkpoints.limit == 0 or request.n_discarded > 0
                or last < request.n_marked + MIN_CHECKPOINT):
            return 0
        n = nearer(last, min(request.n_marked + self.checkpoint_step, last), request.n_past)
        if request.n_marked + MIN_CHECKPOINT <= request.n_common <= last:
            n = nearer(n, request.n_common, request.n_past)
        return n

    cdef void mark(self, RequestC* request, int32_t i_sequence) noexcept nogil:
        """Take a checkpoint of a live sequence if its last chunk ended where one is due."""
        if request.n_past == request.n_cut:
            self.pool.remember(i_sequence, True)
            request.n_marked = request.n_past


cdef int32_t nearer(int32_t n_cut, int32_t n, int32_t n_past) noexcept nogil:
    """The next of two cuts after `n_past`; one that is passed does not count."""
    if n <= n_past:
        return n_cut
    return n if n_cut <= n_past else min(n_cut, n)
