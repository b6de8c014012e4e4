"""How many tokens each live request may put out in a step: what its bucket has, shared fairly.

A decoding slot whose bucket has nothing gets no rows. Prompts are computed as ever, but for the
last row, which gives a token.
"""
from libc.stdint cimport INT32_MAX, INT64_MAX
from libc.stdlib cimport calloc, free, qsort

from .ratelimit cimport BucketC, bucket_refill, bucket_tokens
from .request cimport RequestC, n_pending
from .slots cimport is_decoding

# A step that is expected to take longer counts as this long.
cdef int64_t LONG_STEP_NS = 1_000_000_000


cdef class Throttle:
    """The buckets of the requests in a scheduler's slots.

    :param slots: `n_allowed` is written into their requests.
    """

    def __cinit__(self, Slots slots not None):
        self.slots = slots
        self.claims = <ClaimC*> calloc(slots.n_slots, sizeof(ClaimC))
        if self.claims == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.claims)

    cdef void allot(self, int64_t now, int64_t step_ns) noexcept nogil:
        """Set every request's `n_allowed` for a step that begins `now`.

        Tokens come out when a step ends, so those that come by then count. If there is nothing to
        compute but rows of requests with a bucket, they wait for the next tick of one of them, so
        that they come in few forwards.

        :param step_ns: nanoseconds that the step takes, about, if others decode.
        """
        cdef int32_t i
        cdef bint is_idle = self.claim(now)
        if self.n_claims > 0:
            if is_idle and now < self.t_due:
                self.hold_all()
                return
            if not is_idle:
                self.look_ahead(min(step_ns, LONG_STEP_NS))
            self.share()
        self.share_rest()
        self.n_throttled = 0
        for i in range(self.n_claims):
            self.n_throttled += self.slots.slots[self.claims[i].i_slot].request.n_allowed == 0

    cdef bint claim(self, int64_t now) noexcept nogil:
        """Refill the buckets, and list who wants their tokens; False if another slot has something
        to compute."""
        cdef int32_t i
        cdef int64_t busy_ns = now - self.t_step if self.t_step else 0
        cdef bint is_idle = True
        cdef RequestC* request
        cdef BucketC* bucket
        self.n_claims = 0
        self.t_due = INT64_MAX
        for i in range(self.slots.n_slots):
            request = self.slots.slots[i].request
            if request == NULL:
                continue
            request.n_allowed = INT32_MAX
            bucket = request.bucket
            is_idle = is_idle and bucket != NULL and is_decoding(&self.slots.slots[i])
            if bucket == NULL:
                continue
            bucket_refill(bucket, now, busy_ns)
            bucket.n_free = bucket_tokens(bucket)
            bucket.n_wanting = 0
            if is_decoding(&self.slots.slots[i]):
                self.claims[self.n_claims] = ClaimC(request.turn, request.arrival, i)
                self.n_claims += 1
                self.t_due = min(self.t_due, bucket.t_due)
        return is_idle

    cdef void look_ahead(self, int64_t step_ns) noexcept nogil:
        """Count what the buckets have at the end of the step."""
        cdef int32_t i
        cdef RequestC* request
        cdef BucketC later
        for i in range(self.n_claims):
            request = self.slots.slots[self.claims[i].i_slot].request
            later = request.bucket[0]
            later.level += later.rate * step_ns
            request.bucket.n_free = bucket_tokens(&later)

    cdef void share(self) noexcept nogil:
        """Divide what the buckets have among those that decode, in turn."""
        cdef int32_t i, n
        cdef bint is_shared = False
        cdef RequestC* request
        cdef BucketC* bucket
        for i in range(self.n_claims):
            bucket = self.slots.slots[self.claims[i].i_slot].request.bucket
            bucket.n_wanting += 1
            is_shared = is_shared or bucket.n_wanting > 1
        if is_shared:
            qsort(self.claims, self.n_claims, sizeof(ClaimC), by_turn)
        for i in range(self.n_claims):
            request = self.slots.slots[self.claims[i].i_slot].request
            bucket = request.bucket
            n = min(bucket.n_free, max(1, bucket.n_free // bucket.n_wanting))
            self.give(request, n)
            bucket.n_wanting -= 1

    cdef void share_rest(self) noexcept nogil:
        """Let prompts end that have a token left for what comes after them."""
        cdef int32_t i
        cdef RequestC* request
        for i in range(self.slots.n_slots):
            request = self.slots.slots[i].request
            if request == NULL or request.bucket == NULL or n_pending(request) == 1:
                continue
            self.give(request, min(1, request.bucket.n_free))

    cdef void give(self, RequestC* request, int32_t n_tokens) noexcept nogil:
        request.n_allowed = n_tokens
        request.bucket.n_free -= n_tokens
        if n_tokens > 0:
            self.n_turns += 1
            request.turn = self.n_turns

    cdef void hold_all(self) noexcept nogil:
        cdef int32_t i
        self.n_throttled = self.n_claims
        for i in range(self.n_claims):
            self.slots.slots[self.claims[i].i_slot].request.n_allowed = 0


cdef int by_turn(const void* a, const void* b) noexcept nogil:
    cdef const ClaimC* left = <const ClaimC*> a
    cdef const ClaimC* right = <const ClaimC*> b
    if left.turn != right.turn:
        return 1 if left.turn > right.turn else -1
    return (left.arrival > right.arrival) - (left.arrival < right.arrival)
