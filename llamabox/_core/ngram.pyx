"""N-gram lookup: what followed the last tokens when they were there before.

An index over the tokens of one request, prompt and output. Each token that is added ends an n-gram
of every size from `n_min` to `LONGEST_SIZE`. Its hash leads to a bucket, in which the place of the
last n-gram with the same hash is found and replaced by its own. So adding a token finds the longest
match of the tokens before the next one, the most recent of equally long ones, with one access to
memory for each size, whatever the number of tokens.

A match that goes on as it did is kept, so that it grows beyond `LONGEST_SIZE`. Tokens are compared
before a match counts, so a hash that is no match does no harm; a bucket that is full forgets its
oldest n-gram. An entry is 8 bytes, and a table a quarter full at least: at most 32 bytes for each
token and size, or that is expected, and half as much again while a table grows. Growing is spread
over the tokens that are added.
"""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define llamabox_prefetch(address) __builtin_prefetch(address, 1)
    #else
    #define llamabox_prefetch(address) ((void) (address))
    #endif
    """
    void prefetch "llamabox_prefetch"(const void* address) noexcept nogil

cdef enum:
    N_WAYS = 8            # entries of a bucket
    CACHE_LINE = 64       # bytes, which are those of a bucket
    N_MOST_SIZES = 16
    N_REGROWN = 3         # tokens that move to a larger table with each one that is added

cdef uint64_t POSITION = 0xFFFFFFFF
cdef uint64_t FACTOR = 0x9E3779B97F4A7C15   # 2**64 over the golden ratio


cdef int ngram_init(NgramC* ngram, int32_t n_min, int32_t n_expected) noexcept nogil:
    """Begin with no tokens; -1 if memory is short.

    :param n_min: tokens of the shortest n-grams.
    :param n_expected: tokens to have room for at once.
    """
    cdef uint64_t n_buckets = 32
    ngram.n_min = n_min
    while n_buckets * N_WAYS < <uint64_t> n_expected * n_sizes(ngram) * 2:
        n_buckets *= 2
    ngram.n_indexed = ngram.n_matched = 0
    ngram.grown.memory = NULL
    return table_init(&ngram.table, n_buckets)


cdef void ngram_free(NgramC* ngram) noexcept nogil:
    free(ngram.table.memory)
    free(ngram.grown.memory)
    ngram.table.memory = ngram.grown.memory = NULL


cdef int32_t ngram_push(NgramC* ngram, const llama_token* tokens) noexcept nogil:
    """Index one token more; returns 1 if the match before it predicted it, 0 if there was none, -1
    if it predicted another.

    :param tokens: all that are known; `n_indexed` of them are indexed already.
    """
    cdef int32_t i = ngram.n_indexed
    cdef int32_t outcome = 0
    if ngram.n_matched > 0:
        outcome = 1 if tokens[ngram.i_next] == tokens[i] else -1
    if outcome > 0:
        ngram.i_next += 1
        ngram.n_matched = min(ngram.n_matched + 1, <int32_t> LONGEST_MATCH)
    else:
        ngram.n_matched = 0
    add(ngram, &ngram.table, tokens, i, True)
    ngram.n_indexed += 1
    if ngram.grown.memory != NULL or is_crowded(ngram):
        grow(ngram, tokens)
    return outcome


cdef void ngram_draft(const NgramC* ngram, const llama_token* tokens, llama_token* draft,
                      int32_t n) noexcept nogil:
    """Write the `n` tokens that followed the match; where it reaches the last token, it is taken to
    go round.

    :param tokens: all that are known, as many as are indexed.
    """
    cdef int32_t i, position
    for i in range(n):
        position = ngram.i_next + i
        draft[i] = (tokens[position] if position < ngram.n_indexed
                    else draft[position - ngram.n_indexed])


cdef int32_t n_sizes(const NgramC* ngram) noexcept nogil:
    return max(1, <int32_t> LONGEST_SIZE + 1 - ngram.n_min)


cdef int table_init(NgramTableC* table, uint64_t n_buckets) noexcept nogil:
    table.n_buckets = n_buckets
    table.memory = calloc(n_buckets + 1, CACHE_LINE)
    table.entries = <uint64_t*> (
        (<uintptr_t> table.memory + CACHE_LINE - 1) & ~<uintptr_t> (CACHE_LINE - 1))
    return 0 if table.memory != NULL else -1


cdef void add(NgramC* ngram, NgramTableC* table, const llama_token* tokens, int32_t i,
              bint matches) noexcept nogil:
    """Enter the n-grams that end at position `i`, and with `matches` follow the longest that was
    there before."""
    cdef uint64_t hashes[N_MOST_SIZES]
    cdef uint64_t hash = FACTOR
    cdef int32_t j, earlier, k = 0
    cdef int32_t n = min(i + 1, ngram.n_min + n_sizes(ngram) - 1)
    for j in range(n):
        hash = (hash ^ <uint64_t> tokens[i - j]) * FACTOR
        hash ^= hash >> 32
        if j + 1 >= ngram.n_min:
            hashes[k] = hash
            prefetch(table.entries + (hash & (table.n_buckets - 1)) * N_WAYS)
            k += 1
    while k > 0:
        k -= 1
        earlier = replace(
            table.entries + (hashes[k] & (table.n_buckets - 1)) * N_WAYS, hashes[k], i)
        if matches and earlier >= 0:
            matches = not follow(ngram, tokens, earlier, i, ngram.n_min + k)


cdef int32_t replace(uint64_t* bucket, uint64_t hash, int32_t i) noexcept nogil:
    """Enter position `i` into a bucket; returns that of the last n-gram with this hash, or -1."""
    cdef uint64_t tag = (hash | (<uint64_t> 1 << 63)) & ~POSITION
    cdef uint64_t entry
    cdef int32_t j, oldest = 0
    for j in range(N_WAYS):
        entry = bucket[j]
        if entry & ~POSITION == tag:
            bucket[j] = tag | <uint64_t> i
            return <int32_t> (entry & POSITION)
        if entry == 0:
            bucket[j] = tag | <uint64_t> i
            return -1
        if entry & POSITION < bucket[oldest] & POSITION:
            oldest = j
    bucket[oldest] = tag | <uint64_t> i
    return -1


cdef bint follow(NgramC* ngram, const llama_token* tokens, int32_t earlier, int32_t i,
                 int32_t n_least) noexcept nogil:
    """Take an earlier n-gram for the match, unless that which goes on is longer; False if it is
    none at all."""
    cdef int32_t n = 0
    if ngram.n_matched == LONGEST_MATCH:
        return True
    while n < LONGEST_MATCH and n <= earlier and tokens[earlier - n] == tokens[i - n]:
        n += 1
    if n < n_least:
        return False
    if n >= ngram.n_matched:
        ngram.n_matched = n
        ngram.i_next = earlier + 1
    return True


cdef bint is_crowded(const NgramC* ngram) noexcept nogil:
    """Whether half of the entries may be taken: then few buckets are full."""
    return <uint64_t> ngram.n_indexed * n_sizes(ngram) * 2 > ngram.table.n_buckets * N_WAYS


cdef void grow(NgramC* ngram, const llama_token* tokens) noexcept nogil:
    """Move some tokens on to a table of twice the size; with the last of them, it is the table.

    Without memory for it, the old one goes on, and forgets.
    """
    if ngram.grown.memory == NULL:
        ngram.n_regrown = 0
        if table_init(&ngram.grown, 2 * ngram.table.n_buckets) < 0:
            return
    for _ in range(N_REGROWN):
        if ngram.n_regrown == ngram.n_indexed:
            free(ngram.table.memory)
            ngram.table = ngram.grown
            ngram.grown.memory = NULL
            return
        add(ngram, &ngram.grown, tokens, ngram.n_regrown, False)
        ngram.n_regrown += 1


cdef class Ngram:
    """A Python window on `NgramC`, for tests and benchmarks.

    :param n_min: tokens of the shortest n-grams.
    :param n_expected: tokens to have room for at once.
    """
    cdef NgramC c

    def __cinit__(self, int32_t n_min, int32_t n_expected=0):
        if ngram_init(&self.c, n_min, n_expected) < 0:
            raise MemoryError

    def __dealloc__(self):
        ngram_free(&self.c)

    def push(self, const int32_t[::1] tokens):
        """Index those of `tokens` that are not; returns the last outcome (`ngram_push`)."""
        cdef int32_t outcome = 0
        while self.c.n_indexed < len(tokens):
            outcome = ngram_push(&self.c, &tokens[0])
        return outcome

    def draft(self, const int32_t[::1] tokens, int32_t n):
        """What followed the match: `n` tokens, or none without a match; all are indexed."""
        cdef llama_token draft[64]
        if self.c.n_matched == 0:
            return []
        n = min(n, 64)
        ngram_draft(&self.c, &tokens[0], draft, n)
        return [draft[i] for i in range(n)]

    @property
    def n_matched(self):
        """Tokens of the match, `LONGEST_MATCH` at most."""
        return self.c.n_matched

    @property
    def n_bytes(self):
        """Bytes that the index takes."""
        cdef uint64_t n = self.c.table.n_buckets
        if self.c.grown.memory != NULL:
            n += self.c.grown.n_buckets
        return n * N_WAYS * sizeof(uint64_t)
