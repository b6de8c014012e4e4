"""The piece table: the bytes of every token, so that detokenizing is an append."""
import numpy as np

from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc, realloc


cdef class Vocab:
    """Pieces and end-of-generation set of a vocabulary, copied once.

    :param library: the function table.
    :param address: a `llama_vocab*`, borrowed while the table is built.
    :param owner: kept alive as long as this object.
    :param special: render control tokens too (`llama_token_to_piece`).
    """

    def __cinit__(self, Library library, uintptr_t address, *, owner=None, bint special=False):
        self.owner = owner
        self.build(library, <void*> address, special)
        self.end_of_generation = tuple([t for t in range(self.c.n_tokens) if self.c.is_eog[t]])

    def __dealloc__(self):
        free(self.c.pieces)
        free(self.c.offsets)
        free(self.c.is_eog)

    cdef int build(self, Library library, void* vocab, bint special) except -1:
        cdef int32_t token, n, used = 0, n_tokens = library.c.vocab_n_tokens(vocab)
        cdef int32_t capacity = 16 * n_tokens + 64
        cdef char* grown
        self.c.n_tokens = n_tokens
        self.c.pieces = <char*> malloc(capacity)
        self.c.offsets = <int32_t*> malloc((n_tokens + 1) * sizeof(int32_t))
        self.c.is_eog = <int8_t*> malloc(n_tokens + 1)
        if self.c.pieces == NULL or self.c.offsets == NULL or self.c.is_eog == NULL:
            raise MemoryError
        for token in range(n_tokens):
            self.c.offsets[token] = used
            self.c.is_eog[token] = library.c.vocab_is_eog(vocab, token)
            n = library.c.token_to_piece(
                vocab, token, self.c.pieces + used, capacity - used, 0, special)
            if n < 0:
                capacity = 2 * capacity - n
                grown = <char*> realloc(self.c.pieces, capacity)
                if grown == NULL:
                    raise MemoryError
                self.c.pieces = grown
                n = library.c.token_to_piece(
                    vocab, token, self.c.pieces + used, capacity - used, 0, special)
            used += n
            self.c.longest_piece = max(self.c.longest_piece, n)
            n = abs(library.c.token_to_piece(vocab, token, NULL, 0, 0, True))
            self.c.longest_text = max(self.c.longest_text, n)
        self.c.offsets[n_tokens] = used
        return 0

    @property
    def n_tokens(self):
        return self.c.n_tokens

    @property
    def longest_text(self):
        """Bytes of the longest token, control tokens included."""
        return self.c.longest_text

    def lengths(self):
        """Bytes of each token, int32 [n_tokens]."""
        offsets = <int32_t[:self.c.n_tokens + 1]> self.c.offsets
        return np.diff(offsets).astype(np.int32)

    def piece(self, int32_t token):
        """The bytes of one token; :raises IndexError: there is no such token."""
        if not 0 <= token < self.c.n_tokens:
            raise IndexError(token)
        return self.c.pieces[self.c.offsets[token]:self.c.offsets[token + 1]]

    def detokenize(self, const int32_t[::1] tokens):
        """The bytes of these tokens; :raises IndexError: one does not exist."""
        return b"".join([self.piece(token) for token in tokens])
