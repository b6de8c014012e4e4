"""The pool of a partitioned memory: every sequence has cells of its own, in a stream of its own.

A row attends to the cells of its own sequence alone, and nobody's cells run short for others. What
is shared is copied, the whole stream at a time. llama.cpp computes the rows of sequences whose ids
follow one another at once, and others after them, so the live sequences are kept together: a
request takes the first sequence that is not live, and what is parked there moves.
"""
from .context cimport MEMORY_CELLS, MEMORY_WINDOW
from .pool cimport fail
from .prefix cimport HOLDER_PARKED
from .request cimport RequestC

# Fewer tokens, of a match or behind one in its sequence, are not worth the copy of a stream.
cdef int32_t MIN_COPY = 32


cdef class Partitions(Pool):
    """`n_cells` cells for each sequence of a partitioned memory; else as `Pool`."""

    def __cinit__(self, *args):
        self.min_shared = MIN_COPY

    cdef bint lends_cells(self, int32_t i_source) noexcept nogil:
        """A window that is restored would be overwritten by the copy of a stream."""
        return (self.context.kind != MEMORY_WINDOW
                or self.tree.sequences[i_source].holder == HOLDER_PARKED)

    cdef int32_t place_for(self, const MatchC* match) noexcept nogil:
        cdef int32_t i = self.tree.first_idle()
        if match.found.i_whole < 0 and (
                i == match.i_cells or self.context.kind == MEMORY_WINDOW):
            self.remember(match.i_cells, False)
            return match.i_cells
        if match.found.i_whole < 0:
            self.move_parked(i, match.i_cells)
        self.retire(i)
        return i

    cdef int32_t attach(self, MatchC match, const RequestC* request) noexcept nogil:
        """A live sequence, the first that is not, with as much of the match as can be given."""
        cdef int32_t i = self.tree.first_idle()
        cdef int32_t i_new, source = match.i_source
        if match.found.n_tokens > 0:
            return self.return_to(&match, request)
        if match.i_whole >= 0 and self.length(match.i_whole) == match.n_tokens:
            source = match.i_whole
        if match.n_tokens < self.min_shared:
            source = -1
        if i == source and self.is_worth_cutting(i, match.n_tokens):
            return self.take_over(i, match.n_tokens)
        if source >= 0 and match.n_tokens == self.length(source) and (
                self.tree.sequences[source].holder == HOLDER_PARKED):
            self.remember(source, True)
        i_new = self.move_parked(i, source)
        if i == source:
            if i_new < 0:
                return self.take_over(i, match.n_tokens)
            source = i_new
        self.retire(i)
        self.tree.start(i, request.key)
        if source >= 0:
            self.copy(source, i, match.n_tokens)
            if self.gives_way(source, match.n_tokens) or (
                    self.tree.sequences[source].holder == HOLDER_PARKED
                    and self.tree.is_redundant(source)):
                self.rescue(source)
                self.evict(source)
        return i

    cdef bint is_worth_cutting(self, int32_t i, int32_t n_kept) noexcept nogil:
        """Whether what a sequence holds behind its first `n_kept` tokens is nothing, or too little
        to be kept elsewhere."""
        if self.context.kind != MEMORY_CELLS:
            return self.length(i) == n_kept
        return self.length(i) < n_kept + MIN_COPY

    cdef int32_t claim(self) noexcept nogil:
        """The first sequence that is not live, vacant."""
        cdef int32_t i = self.tree.first_idle()
        self.move_parked(i, -1)
        self.retire(i)
        return i

    cdef int32_t move_parked(self, int32_t i, int32_t i_source) noexcept nogil:
        """Move what is parked in a sequence to a vacant one, or to that which was parked longest
        ago, but not to `i_source`; returns where it is now, -1 if nowhere else."""
        cdef int32_t i_new = self.tree.vacant()
        cdef int32_t n = self.length(i)
        if n < MIN_COPY:
            return -1
        if i_new < 0:
            i_new = self.tree.oldest_parked()
            if i_new == i or i_new == i_source:
                return -1
            self.retire(i_new)
        if self.context.share(i, i_new, n) != n:
            return -1
        self.tree.replace(i, i_new)
        return i_new

    cdef void copy(self, int32_t i_source, int32_t i, int32_t n) noexcept nogil:
        """Give an empty live sequence the first `n` tokens of another, if the memory can."""
        if self.context.share(i_source, i, n) == n and self.tree.share(i_source, i, n) < 0:
            fail("out of memory")

    cdef int64_t n_used(self) noexcept nogil:
        cdef int32_t i
        cdef int64_t n = 0
        for i in range(self.tree.n_sequences):
            n += self.length(i)
        return n

    cdef int64_t n_free(self) noexcept nogil:
        return self.n_cells

    cdef int64_t n_available(self) noexcept nogil:
        """More than any step asks for: a request ends before its own cells do."""
        return <int64_t> self.tree.n_sequences * self.n_cells

    cdef void make_room(self, int64_t n_cells) noexcept nogil:
        """Nothing: there is room."""
