"""What a step that only decodes costs without its drafting, by its number of rows: measured, and
interpolated.

The curve is no line: backends compute rows by tiles, and one row more can cost as much as four. It
drifts, since attention grows with the contexts, which makes all steps slower alike.
"""
from libc.math cimport INFINITY
from libc.stdlib cimport calloc, free

# Of a new measurement, in the value for its number of rows: what is quicker tells more, since
# whatever else takes the core makes a step slower. Half of it is taken for a change of all.
cdef double QUICKER = 0.3
cdef double SLOWER = 0.06
# A measurement counts for so many times the value at most.
cdef double CREDIBLE = 2.0
# Beyond the most rows that were measured, one more is taken to cost at most this share of a row
# among the fewest: too little rather than too much, or they would not be measured either.
cdef double GUESS = 0.25
# After so many steps of other numbers of rows, a measurement is forgotten: had it gone wrong,
# nobody would look again.
cdef int64_t LIFETIME = 256


cdef class Costs:
    """Nothing known of steps with up to `n_most` rows."""

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
        """Learn that a step of so many rows took `elapsed` nanoseconds."""
        cdef double mean, change
        if self.is_fixed or not 0 < n_rows <= self.n_most:
            return
        self.n_observed += 1
        self.seen[n_rows] = self.n_observed
        if self.measured[n_rows] == 0:
            self.measured[n_rows] = elapsed / self.scale
        else:
            mean = self.measured[n_rows] * self.scale
            change = min(elapsed / mean, CREDIBLE) - 1
            change *= SLOWER if change > 0 else QUICKER
            self.scale *= 1 + change / 2
            self.measured[n_rows] = mean * (1 + change) / self.scale
        self.estimate()

    cdef void estimate(self) noexcept nogil:
        """Draw the curve through what is measured; it goes on as it ended, or less steeply.

        No number of rows is taken to cost more than a larger one that is measured.
        """
        cdef int32_t i, before = 0, last = 0
        cdef double slope = 0, least = INFINITY
        self.forget_old()
        for i in range(self.n_most, 0, -1):
            if self.measured[i] > 0:
                least = min(least, self.measured[i])
                self.estimates[i] = least
        for i in range(1, self.n_most + 1):
            if self.measured[i] > 0:
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

    cdef void forget_old(self) noexcept nogil:
        """Forget what was not measured for long, but for the fewest rows."""
        cdef int32_t i
        cdef bint is_first = True
        for i in range(1, self.n_most + 1):
            if self.measured[i] > 0:
                if not is_first and self.seen[i] + LIFETIME < self.n_observed:
                    self.measured[i] = 0
                is_first = False

    cdef void fill(self, int32_t first, int32_t last) noexcept nogil:
        """Draw a line between two measured numbers of rows, and a level one before the first."""
        cdef int32_t i
        cdef double start, slope
        start = self.estimates[first] if first > 0 else self.estimates[last]
        slope = (self.estimates[last] - start) / (last - first)
        for i in range(first + 1, last):
            self.estimates[i] = start + slope * (i - first)

    cdef double of(self, int32_t n_rows) noexcept nogil:
        """Nanoseconds of a step of so many rows; 0 if nothing is known of any."""
        return self.estimates[max(0, min(n_rows, self.n_most))] * self.scale

    cdef bint is_known(self, int32_t n_rows) noexcept nogil:
        """Whether it is measured, or out of reach."""
        return self.is_fixed or not 0 < n_rows <= self.n_most or self.measured[n_rows] > 0

    def fix(self, first, *more):
        """Take these for the nanoseconds of steps with 1, 2 and so on rows, the last of them for
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
