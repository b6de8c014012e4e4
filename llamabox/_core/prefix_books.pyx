"""A Python window on the prefix tree."""
from array import array

from libc.stdint cimport int32_t, int64_t

from .prefix cimport PrefixTree
from .shift cimport n_common


cdef class PrefixBooks:
    """A Python window on `PrefixTree`, for tests and benchmarks; tokens are int32 arrays."""
    cdef PrefixTree tree

    def __cinit__(self, int32_t n_sequences):
        self.tree = PrefixTree(n_sequences)

    def find(self, const int32_t[::1] tokens, int64_t key=0):
        """(sequence, length of the match, parked sequence that is a whole prefix)."""
        cdef int32_t n_match = 0, i_whole = -1
        i = self.tree.find(&tokens[0], <int32_t> len(tokens), key, &n_match, &i_whole)
        return i, n_match, i_whole

    def longest_whole(self, const int32_t[::1] tokens, int64_t key=0):
        return self.tree.longest_whole(&tokens[0], <int32_t> len(tokens), key)

    def tokens(self, int32_t i):
        """What a sequence holds, as a list."""
        found = array("i", bytes(4 * self.tree.sequences[i].n_tokens))
        cdef int32_t[::1] view = found
        if len(found) > 0:
            self.tree.copy_tokens(i, &view[0])
        return list(found)

    def start(self, int32_t i, int64_t key=0):
        self.tree.start(i, key)

    def share(self, int32_t i_source, int32_t i, int32_t n):
        return self.tree.share(i_source, i, n)

    def extend(self, int32_t i, const int32_t[::1] tokens):
        return self.tree.extend(i, &tokens[0], <int32_t> len(tokens))

    def extend_moved(self, int32_t i, const int32_t[::1] tokens):
        return self.tree.extend_moved(i, &tokens[0], <int32_t> len(tokens))

    def truncate(self, int32_t i, int32_t n):
        return self.tree.truncate(i, n)

    def park(self, int32_t i):
        self.tree.park(i)

    def replace(self, int32_t i, int32_t i_new):
        self.tree.replace(i, i_new)

    def drop(self, int32_t i):
        self.tree.drop(i)

    def vacant(self):
        return self.tree.vacant()

    def oldest_parked(self):
        return self.tree.oldest_parked()

    def first_idle(self):
        return self.tree.first_idle()

    def n_lasting(self, int32_t i):
        return self.tree.n_lasting(i)

    def n_common(self, int32_t i, int32_t j):
        return n_common(self.tree, i, j)

    def n_exclusive(self, int32_t i):
        return self.tree.n_exclusive(i)

    def is_redundant(self, int32_t i):
        return self.tree.is_redundant(i)

    def n_tokens(self, int32_t i):
        return self.tree.sequences[i].n_tokens

    @property
    def n_cells(self):
        return self.tree.n_cells

    @property
    def n_live_cells(self):
        return self.tree.n_live_cells
