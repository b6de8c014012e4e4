"""What a forward that only decodes costs, by its number of rows: measured, and interpolated.

The curve is no line: backends compute rows by tiles, and one row more can cost as much as four. It
drifts, since attention grows with the contexts, which makes all forwards slower alike.
"""
from libc.stdlib cimport calloc, free

# Of a new measurement, in the mean of its number of rows, and in the scale of all of them.
cdef double SMOOTHING = 0.2
cdef double DRIFT = 0.1
# A measurement counts for so many times the mean at most: something else took the core.
cdef double CREDIBLE = 2.0
# Beyond the most rows that were measured, one more is taken to cost at most this share of a row
# among the fewest: too little rather than too much, or they would not be measured either.
cdef double GUESS = 0.25
# After so many forwards of other numbers of rows, a measurement is forgotten: had it gone wrong,
# nobody would look again.
cdef int64_t LIFETIME = 1000


cdef class Costs:
    """Nothing known of forwards with up to `n_most` rows."""

    def __cinit__(self, int32_t n_most):
        self.n_most = n_most
        self.scale = 1
        self.measured = <double*> calloc(n_most + 1, sizeof(double))
        self.estimates = <double*> calloc(n_most + 1, sizeof(double))
        self.seen = <int64_t*> calloc(n_most + 1, sizeof(int64_t))
        if self.measured == NULL or self.estimates == NULL or self.seen == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.measured)
        free(self.estimates)
        free(self.seen)

    cdef void observe(self, int32_t n_rows, int64_t elapsed) noexcept nogil:
        """Learn that a forward of so many rows took `elapsed` nanoseconds."""
        cdef double mean, ratio
        if self.is_fixed or not 0 < n_rows <= self.n_most:
            return
        self.n_observed += 1
        self.seen[n_rows] = self.n_observed
        if self.measured[n_rows] == 0:
            self.measured[n_rows] = elapsed / self.scale
        else:
            mean = self.measured[n_rows] * self.scale
            ratio = min(elapsed / mean, CREDIBLE)
            self.scale *= 1 + DRIFT * (ratio - 1)
            self.measured[n_rows] = mean * (1 + SMOOTHING * (ratio - 1)) / self.scale
        self.estimate()

    cdef void estimate(self) noexcept nogil:
        """Draw the curve through what is measured; it goes on as it ended, or less steeply."""
        cdef int32_t i, before = 0, last = 0
        cdef double slope = 0
        for i in range(1, self.n_most + 1):
            if self.measured[i] > 0 and last > 0 and self.seen[i] + LIFETIME < self.n_observed:
                self.measured[i] = 0
            if self.measured[i] > 0:
                self.estimates[i] = self.measured[i]
                self.fill(last, i)
                if last == 0:
                    slope = GUESS * self.estimates[i] / i
                before = last
                last = i
        if last == 0:
            return
        if before > 0:
            slope = max(0.0, min(
                slope, (self.estimates[last] - self.estimates[before]) / (last - before)))
        for i in range(last + 1, self.n_most + 1):
            self.estimates[i] = self.estimates[i - 1] + slope

    cdef void fill(self, int32_t first, int32_t last) noexcept nogil:
        """Draw a line between two measured numbers of rows, and a level one before the first."""
        cdef int32_t i
        cdef double start, slope
        start = self.estimates[first] if first > 0 else self.estimates[last]
        slope = (self.estimates[last] - start) / (last - first)
        for i in range(first + 1, last):
            self.estimates[i] = start + slope * (i - first)

    cdef double of(self, int32_t n_rows) noexcept nogil:
        """Nanoseconds of a forward of so many rows; 0 if nothing is known of any."""
        return self.estimates[max(0, min(n_rows, self.n_most))] * self.scale

    cdef bint is_known(self, int32_t n_rows) noexcept nogil:
        """Whether it is measured, or out of reach."""
        return self.is_fixed or not 0 < n_rows <= self.n_most or self.measured[n_rows] > 0

    def fix(self, first, *more):
        """Take these for the nanoseconds of forwards with 1, 2 and so on rows, the last of them for
        all above, and measure nothing; for tests."""
        cdef int32_t i
        cdef double ns = first
        for i in range(1, self.n_most + 1):
            ns = more[i - 2] if 2 <= i < len(more) + 2 else ns
            self.estimates[i] = ns
        self.scale = 1
        self.is_fixed = True

    def measure(self, int32_t n_rows, int64_t elapsed):
        """`observe`, for tests."""
        self.observe(n_rows, elapsed)

    def nanoseconds(self, int32_t n_rows):
        """`of`, for tests."""
        return self.of(n_rows)
