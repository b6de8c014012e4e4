"""The pool of cells: the books of the prefix tree and llama.cpp's memory, moved together.

`Pool` is that of a unified memory, `partitions.Partitions` that of a partitioned one.
"""
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport abort, free, malloc

from .context cimport MEMORY_CELLS
from .prefix cimport HOLDER_PARKED, SequenceC


cdef class Pool:
    """`n_cells` cells of a unified memory, which its sequences share as far as their tokens do.

    :param context: its memory is empty, and belongs to the pool from now on.
    :param n_cells: `n_ctx` of the context at most.
    :param n_spare_bytes: RAM for the cells of preempted requests.
    :param checkpoints: taken and used where the memory cannot be cut anywhere.
    :param tier: where evicted prefixes go, or None.
    """

    def __cinit__(self, Context context not None, int32_t n_cells, size_t n_spare_bytes,
                  Checkpoints checkpoints not None, Tier tier=None):
        self.context = context
        self.checkpoints = checkpoints
        self.tier = tier
        self.tree = PrefixTree(context.n_seq_max if tier is None else tier.n_sequences)
        self.n_cells = n_cells
        self.n_spare_bytes = n_spare_bytes

    cdef MatchC find(self, const llama_token* tokens, int32_t n, int64_t key) noexcept nogil:
        """The longest prefix of `tokens` that a request can start from."""
        cdef MatchC match
        match.i_source = self.tree.find(tokens, n, key, &match.n_tokens, &match.i_whole)
        match.n_common = match.n_tokens
        match.i_cells = match.i_source
        match.found = FoundC(0, 0, -1, -1)
        if self.context.kind != MEMORY_CELLS:
            self.narrow(&match, tokens, n, key)
        return match

    cdef void narrow(self, MatchC* match, const llama_token* tokens, int32_t n,
                     int64_t key) noexcept nogil:
        """Reduce a match to what can be cut, or the end of a sequence, or a checkpoint."""
        cdef int32_t i, n_held = match.n_tokens
        if match.i_source >= 0 and not self.lends_cells(match.i_source):
            n_held = 0
        match.found = self.checkpoints.find(tokens, n, key, n_held)
        match.n_common = max(match.n_tokens, match.found.n_common)
        if match.i_source >= 0 and not self.context.can_cut(match.i_source, match.n_tokens):
            i = self.tree.longest_whole(tokens, n, key)
            match.i_source = i
            match.n_tokens = self.length(i) if i >= 0 else 0
            match.i_whole = -1
            if i >= 0 and self.tree.sequences[i].holder == HOLDER_PARKED:
                match.i_whole = i
        if match.found.n_tokens > match.n_tokens:
            match.n_tokens = match.found.n_tokens
        else:
            match.found.n_tokens = 0

    cdef bint lends_cells(self, int32_t i_source) noexcept nogil:
        """Whether a partial checkpoint can be used beside the cells of a sequence."""
        return True

    cdef int32_t attach(self, MatchC match, const RequestC* request) noexcept nogil:
        """A live sequence that holds as much of the match as the memory can give.

        A parked sequence that ends with the match is continued. Else the cells are shared with
        the source; a memory that cannot share a part of a sequence continues the longest parked
        one that is wanted as a whole.
        """
        cdef int32_t i
        if match.found.n_tokens > 0:
            return self.return_to(&match, request)
        if match.i_whole >= 0 and self.length(match.i_whole) == match.n_tokens:
            return self.take_over(match.i_whole, match.n_tokens)
        if self.gives_way(match.i_source, match.n_tokens):
            return self.take_over(match.i_source, match.n_tokens)
        i = self.tree.vacant()
        if i < 0:
            i = self.tree.oldest_parked()
            if i == match.i_whole:
                return self.take_over(i, match.n_tokens)
            self.retire(i)
        self.tree.start(i, request.key)
        if match.n_tokens == 0:
            return i
        if self.context.share(match.i_source, i, match.n_tokens) == match.n_tokens:
            if self.tree.share(match.i_source, i, match.n_tokens) < 0:
                fail("out of memory")
        elif match.i_whole >= 0:
            self.tree.drop(i)
            return self.take_over(match.i_whole, match.n_tokens)
        return i

    cdef bint gives_way(self, int32_t i, int32_t n_kept) noexcept nogil:
        """Whether a sequence is parked, none is vacant, and to cut it down to `n_kept` tokens loses
        no more than to evict the one that was parked longest ago."""
        if i < 0 or self.tree.sequences[i].holder != HOLDER_PARKED or self.tree.vacant() >= 0:
            return False
        return self.length(i) - n_kept <= self.length(self.tree.oldest_parked())

    cdef int32_t claim(self) noexcept nogil:
        """A vacant sequence; the one that was parked longest ago is evicted for it, if need be."""
        cdef int32_t i = self.tree.vacant()
        if i < 0:
            i = self.tree.oldest_parked()
            self.retire(i)
        return i

    cdef int32_t take_over(self, int32_t i_sequence, int32_t n_kept) noexcept nogil:
        """Make a parked sequence live, with its first `n_kept` tokens at most."""
        if n_kept < self.length(i_sequence):
            self.rescue(i_sequence)
        self.remember(i_sequence, n_kept == self.length(i_sequence))
        self.cut(i_sequence, n_kept)
        self.tree.start(i_sequence, self.tree.sequences[i_sequence].key)
        return i_sequence

    cdef int32_t return_to(self, const MatchC* match, const RequestC* request) noexcept nogil:
        """A live sequence that holds what a checkpoint of a match does; nothing if that fails."""
        cdef int32_t i, n_kept
        self.checkpoints.hold(&match.found)
        i = self.place_for(match)
        if self.length(i) > 0:
            n_kept = 0
            if self.checkpoints.restore(self.context, i, &match.found):
                n_kept = match.n_tokens
            if self.tree.truncate(i, n_kept) < 0:
                fail("out of memory")
            self.tree.start(i, request.key)
        else:
            self.tree.start(i, request.key)
            self.fill(i, match, request)
        self.checkpoints.release(&match.found)
        return i

    cdef int32_t place_for(self, const MatchC* match) noexcept nogil:
        """A sequence that is vacant, or parked with the cells for a partial checkpoint."""
        if self.tree.vacant() < 0 and match.found.i_whole < 0 and (
                self.tree.oldest_parked() == match.i_cells):
            self.remember(match.i_cells, False)
            return match.i_cells
        return self.claim()

    cdef void fill(self, int32_t i_sequence, const MatchC* match,
                   const RequestC* request) noexcept nogil:
        """Fill an empty live sequence from a checkpoint; it stays empty if that fails."""
        cdef int32_t n_room = 0
        if match.found.i_whole >= 0:
            n_room = self.checkpoints.length(match.found.i_whole)
            self.make_room(n_room)
            if self.n_free() < n_room:
                return
        else:
            self.context.copy(match.i_cells, i_sequence)
        if not self.checkpoints.restore(self.context, i_sequence, &match.found):
            return
        if match.found.i_whole >= 0:
            self.extend(i_sequence, request.tokens, match.n_tokens)
        elif self.tree.share(match.i_cells, i_sequence, match.n_tokens) < 0:
            fail("out of memory")

    cdef void save(self, int32_t i_sequence, RequestC* request) noexcept nogil:
        """Copy the cells of a request that is about to lose them, if there is RAM to spare."""
        request.saved = self.context.save(
            i_sequence, self.n_spare_bytes, &request.n_saved_bytes, False)
        if request.saved != NULL:
            request.n_saved = self.length(i_sequence)
            self.n_spare_bytes -= request.n_saved_bytes

    cdef int32_t restore(self, RequestC* request) noexcept nogil:
        """A live sequence with the saved cells, which are given up; -1 if there is no room."""
        cdef int32_t n_lasting = request.n_saved
        cdef int32_t i = self.claim()
        self.make_room(request.n_saved)
        if self.n_free() < request.n_saved or not self.context.restore(
                i, request.saved, request.n_saved_bytes, False):
            self.discard(request)
            return -1
        self.tree.start(i, request.key)
        if request.is_moved:
            n_lasting = request.n_unmoved
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

    cdef void drop_unbooked(self, int32_t i_sequence) noexcept nogil:
        """Free what the memory has of a live sequence beyond the books, or all of it if the memory
        cannot do that."""
        cdef int32_t n_kept = self.context.trim(i_sequence, self.length(i_sequence))
        if self.tree.truncate(i_sequence, n_kept) < 0:
            fail("out of memory")

    cdef void leave(self, int32_t i_sequence) noexcept nogil:
        """Park what a live sequence holds for others, unless they hold all of it anyway."""
        self.cut(i_sequence, self.tree.n_lasting(i_sequence))
        self.tree.park(i_sequence)
        if self.tree.is_redundant(i_sequence):
            self.retire(i_sequence)

    cdef void remember(self, int32_t i_sequence, bint is_partial) noexcept nogil:
        """Take a checkpoint of a sequence, if its memory needs any."""
        cdef int32_t n = self.length(i_sequence)
        cdef llama_token* tokens
        if self.context.kind == MEMORY_CELLS or n == 0:
            return
        tokens = <llama_token*> malloc(n * sizeof(llama_token))
        if tokens != NULL:
            self.tree.copy_tokens(i_sequence, tokens)
            self.checkpoints.take(
                self.context, i_sequence, tokens, n, self.tree.sequences[i_sequence].key,
                is_partial and not self.context.is_recurrent)
        free(tokens)

    cdef void retire(self, int32_t i_sequence) noexcept nogil:
        """Evict a parked sequence, after a checkpoint of what nobody else holds."""
        self.rescue(i_sequence)
        self.remember(i_sequence, self.tree.is_redundant(i_sequence))
        self.evict(i_sequence)

    cdef void rescue(self, int32_t i_sequence) noexcept nogil:
        """Let the second tier take what a parked sequence is about to lose."""
        if self.tier is not None and self.tree.sequences[i_sequence].holder == HOLDER_PARKED:
            self.tier.rescue(self.tree, i_sequence)

    cdef void evict(self, int32_t i_sequence) noexcept nogil:
        """Empty a sequence; cells that others share stay."""
        self.context.trim(i_sequence, 0)
        self.tree.drop(i_sequence)

    cdef bint evict_parked(self) noexcept nogil:
        """Evict every parked sequence; False if there is none."""
        cdef int32_t i = self.tree.oldest_parked()
        cdef bint found = i >= 0
        while i >= 0:
            self.retire(i)
            i = self.tree.oldest_parked()
        return found

    cdef int64_t n_used(self) noexcept nogil:
        """Cells that hold something."""
        return self.tree.n_cells

    cdef int64_t n_free(self) noexcept nogil:
        """Cells that hold nothing and that a sequence may take."""
        return self.n_cells - self.tree.n_cells

    cdef int64_t n_available(self) noexcept nogil:
        """Cells that hold nothing, or nothing but parked prefixes."""
        return self.n_cells - self.tree.n_live_cells

    cdef void make_room(self, int64_t n_cells) noexcept nogil:
        """Free the ends of parked sequences, the oldest first, until `n_cells` are free."""
        cdef int64_t n_free = self.n_free()
        cdef int32_t i
        while n_free < n_cells:
            i = self.tree.oldest_parked()
            if i < 0:
                return
            self.shrink(i, n_cells - n_free)
            n_free = self.n_free()

    cdef void shrink(self, int32_t i_sequence, int64_t n_wanted) noexcept nogil:
        """Free up to `n_wanted` cells of a parked sequence, and the sequence if none is left."""
        cdef int32_t n_kept = self.length(i_sequence) - <int32_t> n_wanted
        if n_wanted >= self.tree.n_exclusive(i_sequence) or (
                not self.context.can_cut(i_sequence, n_kept)):
            n_kept = 0
        else:
            self.rescue(i_sequence)
            self.cut(i_sequence, n_kept)
        if n_kept == 0 or self.tree.is_redundant(i_sequence):
            self.retire(i_sequence)

    cdef void check(self) noexcept nogil:
        """Invariants of the debug build: the memory holds exactly what the books say."""
        cdef int32_t i, n_held
        cdef SequenceC* sequence
        for i in range(self.tree.n_sequences):
            sequence = &self.tree.sequences[i]
            n_held = self.context.library.c.memory_seq_pos_max(self.context.memory, i) + 1
            if n_held != sequence.n_tokens:
                fail("a sequence holds other cells than the books say")
        if self.n_free() < 0:
            fail("the books have more cells than the pool")


cdef void fail(const char* reason) noexcept nogil:
    """End the process: the books can no longer be trusted."""
    fprintf(stderr, "llamabox: %s\n", reason)
    abort()
