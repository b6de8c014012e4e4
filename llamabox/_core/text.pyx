"""Output bytes: what may be released, what is held back, and where a stop string ends them.

A byte is held back while it may belong to a stop string or to an unfinished UTF-8 sequence. Stop
strings are matched byte by byte (Knuth, Morris and Pratt, 1977), so a token costs time in
proportion to its own bytes and the number of stop strings, whatever the output's length.
"""
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove

cdef enum:
    LONGEST_UTF8 = 4


cdef int text_init(TextC* text, int32_t n_stops, int32_t longest_stop,
                   int32_t longest_piece) noexcept nogil:
    """Make room for stop strings and pieces of these lengths in bytes; -1 if memory is short."""
    text.n_held = 0
    text.i_stop = -1
    text.is_deaf = False
    text.n_stops = n_stops
    text.capacity = longest_stop + longest_piece + LONGEST_UTF8
    text.held = <char*> malloc(text.capacity)
    text.stops = <StopC*> calloc(n_stops + 1, sizeof(StopC))
    return 0 if text.held != NULL and text.stops != NULL else -1


cdef int text_set_stop(TextC* text, int32_t i, const char* stop, int32_t n_bytes) noexcept nogil:
    """Take a copy of stop string `i`; -1 if memory is short."""
    return stop_init(&text.stops[i], stop, n_bytes)


cdef int stop_init(StopC* s, const char* stop, int32_t n_bytes) noexcept nogil:
    """Take a copy of a string, and compute its fallback table; -1 if memory is short."""
    cdef int32_t j, k = 0
    cdef char* copy = <char*> malloc(n_bytes)
    s.bytes = copy
    s.fallback = <int32_t*> malloc(n_bytes * sizeof(int32_t))
    if copy == NULL or s.fallback == NULL:
        return -1
    memcpy(copy, stop, n_bytes)
    s.n_bytes = n_bytes
    s.n_matched = 0
    s.fallback[0] = 0
    for j in range(1, n_bytes):
        while k > 0 and stop[j] != stop[k]:
            k = s.fallback[k - 1]
        if stop[j] == stop[k]:
            k += 1
        s.fallback[j] = k
    return 0


cdef void stop_free(StopC* s) noexcept nogil:
    free(<void*> s.bytes)
    free(s.fallback)
    s.bytes = NULL
    s.fallback = NULL


cdef bint stop_match(StopC* s, char byte) noexcept nogil:
    """Advance a string by one byte of output; whether it is completed."""
    cdef int32_t k = s.n_matched
    while k > 0 and s.bytes[k] != byte:
        k = s.fallback[k - 1]
    s.n_matched = k + 1 if s.bytes[k] == byte else 0
    return s.n_matched == s.n_bytes


cdef void text_free(TextC* text) noexcept nogil:
    cdef int32_t i
    if text.stops != NULL:
        for i in range(text.n_stops):
            stop_free(&text.stops[i])
    free(text.stops)
    free(text.held)
    text.stops = NULL
    text.held = NULL


cdef int32_t text_push(TextC* text, const char* piece, int32_t n_bytes) noexcept nogil:
    """Append the bytes of one token.

    Returns how many bytes at the front of `held` may be released now. When a stop string is
    completed, `i_stop` names it, and it and what follows it are gone from `held`.
    """
    cdef int32_t i, n_stopping
    for i in range(n_bytes):
        text.held[text.n_held] = piece[i]
        text.n_held += 1
        if match_stop(text, piece[i]) and not goes_on(text):
            text.n_held -= text.stops[text.i_stop].n_bytes
            return text.n_held
    n_stopping = longest_match(text)
    if n_stopping > 0:
        return text.n_held - n_stopping
    return text.n_held - unfinished_utf8(text.held, text.n_held)


cdef void text_release(TextC* text, int32_t n_bytes) noexcept nogil:
    """Drop the first `n_bytes` of `held`: the caller has copied them."""
    text.n_held -= n_bytes
    memmove(text.held, text.held + n_bytes, text.n_held)


cdef bint match_stop(TextC* text, char byte) noexcept nogil:
    """Advance every stop string by one byte; of those completed here, the longest is taken."""
    cdef int32_t i
    cdef StopC* s
    for i in range(text.n_stops):
        s = &text.stops[i]
        if stop_match(s, byte) and (
                text.i_stop < 0 or s.n_bytes > text.stops[text.i_stop].n_bytes):
            text.i_stop = i
    return text.i_stop >= 0


cdef bint goes_on(TextC* text) noexcept nogil:
    """Make nothing of the stop strings that are completed, if the text is deaf to them."""
    cdef int32_t i
    cdef StopC* s
    if not text.is_deaf:
        return False
    text.i_stop = -1
    for i in range(text.n_stops):
        s = &text.stops[i]
        if s.n_matched == s.n_bytes:
            s.n_matched = s.fallback[s.n_bytes - 1]
    return True


cdef int32_t longest_match(TextC* text) noexcept nogil:
    cdef int32_t i, longest = 0
    for i in range(text.n_stops):
        longest = max(longest, text.stops[i].n_matched)
    return longest


cdef int32_t unfinished_utf8(const char* held, int32_t n_held) noexcept nogil:
    """Bytes at the end that are the beginning of a longer UTF-8 sequence."""
    cdef int32_t n, n_wanted
    cdef unsigned char byte
    for n in range(1, min(n_held, LONGEST_UTF8 - 1) + 1):
        byte = <unsigned char> held[n_held - n]
        if byte & 0xC0 == 0x80:
            continue
        n_wanted = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return n if n_wanted > n else 0
    return 0


cdef class Text:
    """A Python window on `TextC`, for tests.

    :param stops: stop strings, encoded.
    :param longest_piece: bytes of the longest piece that will be pushed.
    """
    cdef TextC c

    def __cinit__(self, stops=(), longest_piece=64):
        cdef int32_t i
        longest = max((len(stop) for stop in stops), default=0)
        if text_init(&self.c, len(stops), longest, longest_piece) < 0:
            raise MemoryError
        for i, stop in enumerate(stops):
            if text_set_stop(&self.c, i, stop, len(stop)) < 0:
                raise MemoryError

    def __dealloc__(self):
        text_free(&self.c)

    @property
    def is_deaf(self):
        """Whether stop strings are text like any other."""
        return self.c.is_deaf

    @is_deaf.setter
    def is_deaf(self, bint value):
        self.c.is_deaf = value

    @property
    def i_stop(self):
        """Index of the stop string that was completed, or -1."""
        return self.c.i_stop

    def push(self, bytes piece):
        """Append a piece; returns the bytes that are released."""
        return self.take(text_push(&self.c, piece, len(piece)))

    def flush(self):
        """The bytes that are still held."""
        return self.take(self.c.n_held)

    cdef bytes take(self, int32_t n_bytes):
        released = self.c.held[:n_bytes]
        text_release(&self.c, n_bytes)
        return released
