"""The pool of cells: the books of the prefix tree and llama.cpp's memory, moved together."""
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport abort, free

from .prefix cimport SequenceC


cdef class Pool:
    """`n_cells` cells of a unified memory, which its sequences share as far as their tokens do.

    :param context: its memory is empty, and belongs to the pool from now on.
    :param n_cells: `n_ctx` of the context at most.
    :param n_spare_bytes: RAM for the cells of preempted requests.
    """

    def __cinit__(self, Context context not None, int32_t n_cells, size_t n_spare_bytes):
        self.context = context
        self.tree = PrefixTree(context.n_seq_max)
        self.n_cells = n_cells
        self.n_spare_bytes = n_spare_bytes

    cdef MatchC find(self, const llama_token* tokens, int32_t n) noexcept nogil:
        """The longest prefix of `tokens` that any sequence holds, live or parked."""
        cdef MatchC match
        match.i_source = self.tree.find(tokens, n, &match.n_tokens, &match.i_whole)
        return match

    cdef int32_t attach(self, MatchC match) noexcept nogil:
        """A live sequence that holds as much of the match as the memory can give.

        A parked sequence that ends with the match is continued. Else the cells are shared with
        the source; a memory that cannot share a part of a sequence continues the longest parked
        one that is wanted as a whole.
        """
        cdef int32_t i
        if match.i_whole >= 0 and self.length(match.i_whole) == match.n_tokens:
            return self.take_over(match.i_whole, match.n_tokens)
        i = self.tree.vacant()
        if i < 0:
            i = self.tree.oldest_parked()
            if i == match.i_source or i == match.i_whole:
                return self.take_over(i, match.n_tokens)
            self.evict(i)
        self.tree.start(i)
        if match.n_tokens == 0:
            return i
        if self.context.share(match.i_source, i, match.n_tokens) == match.n_tokens:
            if self.tree.share(match.i_source, i, match.n_tokens) < 0:
                fail("out of memory")
        elif match.i_whole >= 0:
            self.tree.drop(i)
            return self.take_over(match.i_whole, match.n_tokens)
        return i

    cdef int32_t take_over(self, int32_t i_sequence, int32_t n_kept) noexcept nogil:
        """Make a parked sequence live, with its first `n_kept` tokens at most."""
        self.cut(i_sequence, n_kept)
        self.tree.start(i_sequence)
        return i_sequence

    cdef void save(self, int32_t i_sequence, RequestC* request) noexcept nogil:
        """Copy the cells of a request that is about to lose them, if there is RAM to spare."""
        request.saved = self.context.save(i_sequence, self.n_spare_bytes, &request.n_saved_bytes)
        if request.saved != NULL:
            request.n_saved = self.length(i_sequence)
            self.n_spare_bytes -= request.n_saved_bytes

    cdef int32_t restore(self, RequestC* request) noexcept nogil:
        """A live sequence with the saved cells, which are given up; -1 if there is no room."""
        cdef int32_t n_lasting = request.n_saved
        cdef int32_t i = self.tree.vacant()
        if i < 0:
            i = self.tree.oldest_parked()
            self.evict(i)
        self.make_room(request.n_saved)
        if self.n_cells - self.tree.n_cells < request.n_saved or not self.context.restore(
                i, request.saved, request.n_saved_bytes):
            self.discard(request)
            return -1
        self.tree.start(i)
        if request.is_moved:
            n_lasting = request.n_keep
        if n_lasting > 0:
            self.extend(i, request.tokens, n_lasting)
        if request.is_moved and self.tree.extend_moved(
                i, request.tokens + n_lasting, request.n_saved - n_lasting) < 0:
            fail("out of memory")
        self.discard(request)
        return i

    cdef void discard(self, RequestC* request) noexcept nogil:
        """Give the saved cells of a request up."""
        if request.saved != NULL:
            free(request.saved)
            self.n_spare_bytes += request.n_saved_bytes
            request.saved = NULL
        request.n_saved = 0

    cdef int32_t length(self, int32_t i_sequence) noexcept nogil:
        """Tokens that a sequence holds."""
        return self.tree.sequences[i_sequence].n_tokens

    cdef void extend(self, int32_t i_sequence, const llama_token* tokens, int32_t n) noexcept nogil:
        """Book what a forward has computed for a live sequence."""
        if self.tree.extend(i_sequence, tokens, n) < 0:
            fail("out of memory")

    cdef void cut(self, int32_t i_sequence, int32_t n_kept) noexcept nogil:
        """Keep the first `n_kept` tokens of a sequence, or none if its memory cannot do that."""
        if n_kept < self.length(i_sequence):
            n_kept = self.context.trim(i_sequence, n_kept)
            if self.tree.truncate(i_sequence, n_kept) < 0:
                fail("out of memory")

    cdef void leave(self, int32_t i_sequence) noexcept nogil:
        """Park what a live sequence holds for others, unless they hold all of it anyway."""
        self.cut(i_sequence, self.tree.n_lasting(i_sequence))
        self.tree.park(i_sequence)
        if self.tree.is_redundant(i_sequence):
            self.evict(i_sequence)

    cdef void evict(self, int32_t i_sequence) noexcept nogil:
        """Empty a sequence; cells that others share stay."""
        self.context.trim(i_sequence, 0)
        self.tree.drop(i_sequence)

    cdef bint evict_parked(self) noexcept nogil:
        """Evict every parked sequence; False if there is none."""
        cdef int32_t i = self.tree.oldest_parked()
        cdef bint found = i >= 0
        while i >= 0:
            self.evict(i)
            i = self.tree.oldest_parked()
        return found

    cdef int64_t n_available(self) noexcept nogil:
        """Cells that hold nothing, or nothing but parked prefixes."""
        return self.n_cells - self.tree.n_live_cells

    cdef void make_room(self, int64_t n_cells) noexcept nogil:
        """Free the ends of parked sequences, the oldest first, until `n_cells` are free."""
        cdef int64_t n_free = self.n_cells - self.tree.n_cells
        cdef int32_t i
        while n_free < n_cells:
            i = self.tree.oldest_parked()
            if i < 0:
                return
            self.shrink(i, n_cells - n_free)
            n_free = self.n_cells - self.tree.n_cells

    cdef void shrink(self, int32_t i_sequence, int64_t n_wanted) noexcept nogil:
        """Free up to `n_wanted` cells of a parked sequence, and the sequence if none is left."""
        cdef int32_t n_kept = 0
        if n_wanted < self.tree.n_exclusive(i_sequence):
            n_kept = self.length(i_sequence) - <int32_t> n_wanted
        self.cut(i_sequence, n_kept)
        if self.tree.is_redundant(i_sequence):
            self.evict(i_sequence)

    cdef void check(self) noexcept nogil:
        """Invariants of the debug build: the memory holds exactly what the books say."""
        cdef int32_t i, n_held
        cdef SequenceC* sequence
        for i in range(self.tree.n_sequences):
            sequence = &self.tree.sequences[i]
            n_held = self.context.library.c.memory_seq_pos_max(self.context.memory, i) + 1
            if n_held != sequence.n_tokens:
                fail("a sequence holds other cells than the books say")
        if self.tree.n_cells > self.n_cells:
            fail("the books have more cells than the pool")


cdef void fail(const char* reason) noexcept nogil:
    """End the process: the books can no longer be trusted."""
    fprintf(stderr, "llamabox: %s\n", reason)
    abort()
