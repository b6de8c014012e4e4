"""Checkpoints: copies in RAM of what llama.cpp had of a sequence, for memories that cannot be cut.

A recurrent state or a sliding window is that of one position. A request can start from a prefix
only if some sequence ends there, or if its state was copied when one did. A *whole* checkpoint is a
sequence with its cells; a *partial* one is only the part that cannot be cut (`Context.save`), and
is worth something as long as a sequence, or a whole checkpoint, holds the cells of its tokens.

The index is a `PrefixTree` whose sequences are the checkpoints; parked in order of their last use.
"""
from libc.stdlib cimport calloc, free

from .prefix cimport descend


cdef class Checkpoints:
    """At most `n_most` checkpoints in `limit` bytes; the one used longest ago is given up first.

    No checkpoint takes more than half of the bytes.
    """

    def __cinit__(self, int32_t n_most, size_t limit):
        self.tree = PrefixTree(max(n_most, 1))
        self.checkpoints = <CheckpointC*> calloc(self.tree.n_sequences, sizeof(CheckpointC))
        if self.checkpoints == NULL:
            raise MemoryError
        self.limit = limit if n_most > 0 else 0

    def __dealloc__(self):
        cdef int32_t i
        if self.checkpoints != NULL:
            for i in range(self.tree.n_sequences):
                free(self.checkpoints[i].state)
        free(self.checkpoints)

    cdef FoundC find(self, const llama_token* tokens, int32_t n, int64_t key,
                     int32_t n_held) noexcept nogil:
        """The longest prefix of `tokens` that a request can start from.

        :param n_held: tokens whose cells some sequence holds.
        """
        cdef FoundC found = FoundC(0, 0, -1, -1)
        cdef NodeC* node = self.tree.root
        cdef SequenceC* sequence
        found.n_common = descend(self.tree.root, tokens, n, key, &node)
        while node != self.tree.root:
            sequence = node.ending
            while sequence != NULL:
                if sequence.n_tokens <= found.n_common and self.fits(sequence, n_held, &found):
                    return found
                sequence = sequence.next
            node = node.parent
        return found

    cdef bint fits(self, const SequenceC* sequence, int32_t n_held, FoundC* found) noexcept nogil:
        """Whether all that a checkpoint needs is there; then `found` says what."""
        cdef int32_t i = <int32_t> (sequence - self.tree.sequences)
        if not self.checkpoints[i].is_partial:
            found.i_whole = i
        elif sequence.n_tokens <= n_held:
            found.i_partial = i
        else:
            found.i_whole = self.whole_from(sequence.tail)
            if found.i_whole < 0:
                return False
            found.i_partial = i
        found.n_tokens = sequence.n_tokens
        return True

    cdef int32_t whole_from(self, const NodeC* node) noexcept nogil:
        """A whole checkpoint that ends at a node or below it, or -1."""
        cdef const SequenceC* sequence = node.ending
        cdef const NodeC* child = node.child
        cdef int32_t i
        while sequence != NULL:
            i = <int32_t> (sequence - self.tree.sequences)
            if not self.checkpoints[i].is_partial:
                return i
            sequence = sequence.next
        while child != NULL:
            i = self.whole_from(child)
            if i >= 0:
                return i
            child = child.next
        return -1

    cdef bint is_near(self, const llama_token* tokens, int32_t n, int64_t key,
                      bint is_partial) noexcept nogil:
        """Whether a checkpoint at `n` would save little, for the sake of one a little before it."""
        cdef NodeC* node = self.tree.root
        cdef SequenceC* sequence
        cdef int32_t n_common = descend(self.tree.root, tokens, n, key, &node)
        while node != self.tree.root:
            sequence = node.ending
            while sequence != NULL:
                if n - MIN_CHECKPOINT < sequence.n_tokens <= n_common and (
                        is_partial
                        or not self.checkpoints[sequence - self.tree.sequences].is_partial):
                    return True
                sequence = sequence.next
            node = node.parent
        return n < MIN_CHECKPOINT

    cdef void take(self, Context context, int32_t i_sequence, const llama_token* tokens, int32_t n,
                   int64_t key, bint is_partial) noexcept nogil:
        """Copy a sequence that holds `n` tokens, unless that would save little or is too large."""
        cdef size_t n_bytes
        cdef uint8_t* state
        cdef int32_t i
        if self.limit == 0 or self.is_near(tokens, n, key, is_partial):
            return
        n_bytes = context.state_bytes(i_sequence, is_partial)
        if n_bytes > self.limit // 2 or not self.make_room(n_bytes):
            return
        state = context.save(i_sequence, n_bytes, &n_bytes, is_partial)
        i = -1 if state == NULL else self.enter(tokens, n, key)
        if i < 0:
            free(state)
            return
        self.checkpoints[i] = CheckpointC(state, n_bytes, is_partial)
        self.n_checkpoints += 1
        self.n_bytes += n_bytes

    cdef bint make_room(self, size_t n_bytes) noexcept nogil:
        """Give old checkpoints up for a new one; False if those left are held."""
        cdef int32_t i
        while self.n_bytes + n_bytes > self.limit or self.tree.vacant() < 0:
            i = self.tree.oldest_parked()
            if i < 0:
                return False
            self.drop(i)
        return True

    cdef int32_t enter(self, const llama_token* tokens, int32_t n, int64_t key) noexcept nogil:
        """An index entry for `tokens`; -1 if memory is short."""
        cdef int32_t n_match, i_whole, i_source = self.tree.find(tokens, n, key, &n_match, &i_whole)
        cdef int32_t i = self.tree.vacant()
        self.tree.start(i, key)
        if n_match > 0 and self.tree.share(i_source, i, n_match) < 0 or (
                n_match < n and self.tree.extend(i, tokens + n_match, n - n_match) < 0):
            self.tree.drop(i)
            return -1
        self.tree.park(i)
        return i

    cdef bint restore(self, Context context, int32_t i_sequence,
                      const FoundC* found) noexcept nogil:
        """Make a sequence what was found; False, and empty, if that fails.

        It is empty, or has the cells if no whole checkpoint brings them.
        """
        cdef CheckpointC* checkpoint
        if found.i_whole >= 0:
            checkpoint = &self.checkpoints[found.i_whole]
            if not context.restore(i_sequence, checkpoint.state, checkpoint.n_bytes, False):
                return False
        if found.i_partial < 0:
            return True
        checkpoint = &self.checkpoints[found.i_partial]
        return context.return_to(i_sequence, found.n_tokens, checkpoint.state, checkpoint.n_bytes)

    cdef void hold(self, const FoundC* found) noexcept nogil:
        """Keep what was found until `release`."""
        if found.i_whole >= 0:
            self.tree.start(found.i_whole, self.tree.sequences[found.i_whole].key)
        if found.i_partial >= 0:
            self.tree.start(found.i_partial, self.tree.sequences[found.i_partial].key)

    cdef void release(self, const FoundC* found) noexcept nogil:
        """Count what was held as used last."""
        if found.i_whole >= 0:
            self.tree.park(found.i_whole)
        if found.i_partial >= 0:
            self.tree.park(found.i_partial)

    cdef void drop(self, int32_t i) noexcept nogil:
        """Give a checkpoint up."""
        self.n_bytes -= self.checkpoints[i].n_bytes
        self.n_checkpoints -= 1
        free(self.checkpoints[i].state)
        self.checkpoints[i].state = NULL
        self.tree.drop(i)

    cdef int32_t length(self, int32_t i) noexcept nogil:
        """Tokens of a checkpoint."""
        return self.tree.sequences[i].n_tokens
