"""Words of texts with their tokens, and the reading of texts by them.

A text is cut into pieces: before a space between the end of a word, a number or a clause and a
letter; and behind the last line feed before the first such place, if a letter or a digit follows
it, and what it follows is no white space: runs of that are one with what comes behind them.
A table of open addressing has a place in one array for each piece, where its bytes and its tokens
lie one behind the other: a lookup touches two or three lines of memory.
"""
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

cdef enum:
    LONGEST = 128         # bytes of a piece that is kept
    MOST_TOKENS = 192     # of such a piece
    N_PROBES = 16         # places that are looked at: no client can make them many

cdef uint32_t FACTOR = 16777619     # FNV-1a, 32 bits
cdef uint32_t BASIS = 2166136261


cdef struct PieceC:
    uint32_t hash
    uint32_t place        # of its bytes in the array, in units of a token
    uint8_t n_bytes
    uint8_t n_tokens
    uint8_t is_used
    uint8_t add_special


cdef struct FoundC:
    int32_t* tokens       # [n_most]
    Py_ssize_t n
    Py_ssize_t n_most


cdef bint[256] IS_LETTER
cdef bint[256] IS_ALNUM
cdef bint[256] IS_END
cdef bint[256] IS_PRINTED     # in ASCII


cdef void fill_classes():
    cdef int32_t i
    for i in range(256):
        IS_LETTER[i] = 65 <= i <= 90 or 97 <= i <= 122
        IS_ALNUM[i] = IS_LETTER[i] or 48 <= i <= 57
        IS_END[i] = IS_ALNUM[i] or i in b".,;:!?"
        IS_PRINTED[i] = 33 <= i <= 126


fill_classes()


cdef class WordTable:
    """Up to `n_most` pieces; used with the GIL held.

    :param n_most: once there are as many, all are forgotten for the next one.
    """

    cdef readonly int32_t n_most
    cdef readonly int32_t n_pieces
    cdef uint32_t mask
    cdef PieceC* pieces
    cdef int32_t* memory          # [capacity]
    cdef Py_ssize_t n_used
    cdef Py_ssize_t capacity

    def __cinit__(self, int32_t n_most):
        cdef uint32_t n = 16
        while n < 2 * <uint32_t> n_most:
            n *= 2
        self.n_most = n_most
        self.mask = n - 1
        self.pieces = <PieceC*> calloc(n, sizeof(PieceC))
        if self.pieces == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.pieces)
        free(self.memory)

    def read(self, bytes text, bint add_special):
        """What is known of a text's tokens, and what is not.

        :param text: UTF-8.
        :param add_special: its first piece is one with the tokens that the model wants around it.
        :returns: the tokens of known pieces as int32 bytes, and (begin, end, add_special, tokens
            before it) of each piece that is not known.
        """
        cdef const uint8_t* data = text
        cdef Py_ssize_t n = len(text), begin = 0, end = next_cut(data, 0, n), line = end
        cdef FoundC found = FoundC(NULL, 0, 0)
        cdef list gaps = []
        while line > 0 and data[line - 1] != b"\n":
            line -= 1
        if not 1 < line < end or not IS_ALNUM[data[line]] or not IS_PRINTED[data[line - 2]]:
            line = end
        try:
            reserve(&found, n // 4 + 1)
            self.take(data, 0, line, add_special, &found, gaps)
            if line < end:
                self.take(data, line, end, False, &found, gaps)
            while end < n:
                begin = end
                end = next_cut(data, begin, n)
                self.take(data, begin, end, False, &found, gaps)
            return (<const char*> found.tokens)[:found.n * sizeof(int32_t)], gaps
        finally:
            free(found.tokens)

    def add(self, bytes piece, bint add_special, bytes tokens):
        """Keep a piece with its tokens (int32), unless it is long."""
        cdef const uint8_t* data = piece
        cdef Py_ssize_t n = len(piece), n_tokens = len(tokens) // sizeof(int32_t)
        cdef uint32_t hash = hash_of(data, n, add_special)
        cdef PieceC* place
        if n > LONGEST or n_tokens > MOST_TOKENS:
            return
        place = self.find(data, n, hash, add_special)
        if place == NULL or place.is_used:
            return
        if self.n_pieces >= self.n_most:
            self.clear()
        self.reserve_memory(n_places(n) + n_tokens)
        place[0] = PieceC(hash, <uint32_t> self.n_used, n, n_tokens, True, add_special)
        memcpy(self.memory + self.n_used, data, n)
        memcpy(self.memory + self.n_used + n_places(n), <const char*> tokens,
               n_tokens * sizeof(int32_t))
        self.n_used += n_places(n) + n_tokens
        self.n_pieces += 1

    cdef void clear(self):
        memset(self.pieces, 0, (self.mask + 1) * sizeof(PieceC))
        self.n_pieces = 0
        self.n_used = 0

    cdef int take(self, const uint8_t* text, Py_ssize_t begin, Py_ssize_t end,
                  bint add_special, FoundC* found, list gaps) except -1:
        """Add a piece's tokens to those that are found, or the piece to the gaps."""
        cdef Py_ssize_t n = end - begin
        cdef PieceC* piece = NULL
        if n <= LONGEST:
            piece = self.find(
                text + begin, n, hash_of(text + begin, n, add_special), add_special)
        if piece == NULL or not piece.is_used:
            gaps.append((begin, end, add_special, found.n))
            return 0
        reserve(found, piece.n_tokens)
        memcpy(found.tokens + found.n, self.memory + piece.place + n_places(n),
               piece.n_tokens * sizeof(int32_t))
        found.n += piece.n_tokens
        return 0

    cdef PieceC* find(self, const uint8_t* data, Py_ssize_t n, uint32_t hash,
                      bint add_special) noexcept:
        """The piece, or a vacant place for it; NULL if there is neither."""
        cdef int32_t i
        cdef PieceC* piece
        for i in range(N_PROBES):
            piece = &self.pieces[(hash + i) & self.mask]
            if not piece.is_used or (
                    piece.hash == hash and piece.n_bytes == n and piece.add_special == add_special
                    and memcmp(self.memory + piece.place, data, n) == 0):
                return piece
        return NULL

    cdef int reserve_memory(self, Py_ssize_t n) except -1:
        cdef Py_ssize_t capacity = max(2 * self.capacity, self.n_used + n)
        if self.n_used + n > self.capacity:
            self.memory = grown(self.memory, capacity)
            self.capacity = capacity
        return 0


def token_ends(const int32_t[::1] tokens, const int32_t[::1] n_bytes, list texts):
    """Where the tokens of each text end, if these are the tokens of all of them one behind another;
    None if one reaches across.

    :param n_bytes: of text that each token of the vocabulary stands for.
    """
    cdef Py_ssize_t i = 0, n_read = 0, n_tokenized = 0
    cdef bytes text
    ends = []
    for text in texts:
        n_read += len(text)
        while i < tokens.shape[0] and n_tokenized < n_read:
            n_tokenized += n_bytes[tokens[i]]
            i += 1
        if n_tokenized != n_read:
            return None
        ends.append(i)
    return ends if i == tokens.shape[0] else None


cdef int reserve(FoundC* found, Py_ssize_t n) except -1:
    cdef Py_ssize_t n_most = max(2 * found.n_most, found.n + n)
    if found.n + n > found.n_most:
        found.tokens = grown(found.tokens, n_most)
        found.n_most = n_most
    return 0


cdef int32_t* grown(int32_t* memory, Py_ssize_t n) except NULL:
    """The same, with room for `n` tokens."""
    memory = <int32_t*> realloc(memory, n * sizeof(int32_t))
    if memory == NULL:
        raise MemoryError
    return memory


cdef Py_ssize_t n_places(Py_ssize_t n_bytes) noexcept:
    return (n_bytes + <Py_ssize_t> sizeof(int32_t) - 1) // <Py_ssize_t> sizeof(int32_t)


cdef Py_ssize_t next_cut(const uint8_t* text, Py_ssize_t i, Py_ssize_t n) noexcept:
    """The first cut behind `i`; `n` if there is none."""
    i += 1
    while i < n - 1:
        if text[i] == b" " and IS_LETTER[text[i + 1]] and IS_END[text[i - 1]]:
            return i
        i += 1
    return n


cdef uint32_t hash_of(const uint8_t* data, Py_ssize_t n, bint add_special) noexcept:
    cdef uint32_t hash = BASIS + add_special
    cdef Py_ssize_t i
    for i in range(n):
        hash = (hash ^ data[i]) * FACTOR
    return hash ^ hash >> 16
