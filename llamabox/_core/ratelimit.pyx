"""Token buckets: output tokens per second, on a clock in nanoseconds that the caller gives.

A bucket fills continuously and pays for each token that comes out. Rates are thousandths of a token
per second and levels 10^-12 of a token, so a nanosecond adds exactly the rate: nothing is rounded,
and nothing drifts. Times between two refills are cut to what fills the bucket before they are
multiplied, so nothing overflows however long it was idle.
"""
from libc.math cimport llround
from libc.stdint cimport INT32_MAX

cdef int64_t UNITS = 1_000_000_000_000

# Beside the token that is due, a bucket holds what comes in this time, one token at least: a token
# that a step or a late wake-up delays is not lost, and no more than that comes in a burst.
cdef int64_t SLACK_NS = 50_000_000
# What comes while one step runs is not lost either, up to this: whoever steps more slowly than its
# rate, or was held up by a long one, still comes to its rate.
cdef int64_t LONG_STEP_NS = 1_000_000_000
# Ticks at which waits end, so that the rows of many requests share forwards: half the time between
# two tokens, within these powers of two. They divide one another, so that different rates meet too.
cdef int64_t SHORTEST_TICK_NS = 1 << 22
cdef int64_t LONGEST_TICK_NS = 1 << 24


cdef class Bucket:
    """A budget of output tokens that all requests share which are given it.

    It starts with one token, and begins to fill when that is charged. Once a request that has it is
    submitted, it belongs to the step thread; the methods are for those that no scheduler knows.

    :param tokens_per_second: 0.001 to 10^6; thousandths count.
    """

    def __cinit__(self, double tokens_per_second):
        self.c.level = UNITS
        bucket_set_rate(&self.c, rate_of(tokens_per_second), 0)

    def set_rate(self, double tokens_per_second, int64_t now):
        """Fill at another rate from `now` on."""
        bucket_set_rate(&self.c, rate_of(tokens_per_second), now)

    def refill(self, int64_t now, int64_t busy_ns=0):
        """Add what has come since the last refill.

        :param busy_ns: of that time, what the last step took, in which nobody could be served.
        """
        bucket_refill(&self.c, now, busy_ns)

    def charge(self, int32_t n_tokens, int64_t now):
        """Pay for tokens that came out."""
        bucket_charge(&self.c, n_tokens, now)

    @property
    def tokens_per_second(self):
        return self.c.rate / 1e3

    @property
    def n_tokens(self):
        """Whole tokens that may come out."""
        return bucket_tokens(&self.c)

    @property
    def capacity(self):
        """Tokens up to which it fills, steps that take long aside."""
        return self.c.limit / <double> UNITS

    @property
    def t_due(self):
        """When whoever waits for a token of it is to look again; past if it has one."""
        return self.c.t_due


cdef int64_t rate_of(double tokens_per_second):
    """Thousandths of a token per second."""
    return max(1, llround(tokens_per_second * 1e3))


cdef void bucket_set_rate(BucketC* bucket, int64_t rate, int64_t now) noexcept nogil:
    cdef int64_t most = UNITS // rate // 2
    bucket_refill(bucket, now, 0)
    bucket.rate = rate
    bucket.limit = UNITS + max(UNITS, rate * SLACK_NS)
    bucket.level = min(bucket.level, bucket.limit)
    bucket.tick = SHORTEST_TICK_NS
    while 2 * bucket.tick <= min(most, LONGEST_TICK_NS):
        bucket.tick *= 2
    set_due(bucket)


cdef void bucket_refill(BucketC* bucket, int64_t now, int64_t busy_ns) noexcept nogil:
    """Add what has come since the last refill, up to the limit and what came in a step of `busy_ns`
    nanoseconds; what is there already stays."""
    cdef int64_t elapsed = now - bucket.t_refill
    cdef int64_t limit = bucket.limit + bucket.rate * max(0, min(busy_ns, LONG_STEP_NS))
    if bucket.t_refill == 0 or elapsed <= 0:
        return
    bucket.t_refill = now
    if bucket.level >= limit:
        return
    if elapsed > (limit - bucket.level) // bucket.rate:
        bucket.level = limit
    else:
        bucket.level += elapsed * bucket.rate


cdef void bucket_charge(BucketC* bucket, int32_t n_tokens, int64_t now) noexcept nogil:
    """Pay for tokens that came out."""
    if bucket.t_refill == 0:
        bucket.t_refill = now
    bucket.level -= n_tokens * UNITS
    set_due(bucket)


cdef int32_t bucket_tokens(const BucketC* bucket) noexcept nogil:
    """Whole tokens that may come out."""
    return <int32_t> max(0, min(bucket.level // UNITS, <int64_t> INT32_MAX))


cdef void set_due(BucketC* bucket) noexcept nogil:
    cdef int64_t lacking = UNITS - bucket.level
    if lacking <= 0:
        bucket.t_due = bucket.t_refill
        return
    bucket.t_due = bucket.t_refill + (lacking + bucket.rate - 1) // bucket.rate
    bucket.t_due = (bucket.t_due + bucket.tick - 1) & -bucket.tick
