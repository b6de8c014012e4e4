"""The rows of one forward, in arrays of our own that llama.cpp reads in place."""
from libc.stdlib cimport calloc, free
from libc.string cimport memset


cdef class Batch:
    """Up to `capacity` rows, each of one sequence.

    :param capacity: rows at most, `n_batch` of the context.
    """

    def __cinit__(self, int32_t capacity):
        cdef int32_t i
        self.capacity = capacity
        self.c.token = <llama_token*> calloc(capacity, sizeof(llama_token))
        self.c.pos = <llama_pos*> calloc(capacity, sizeof(llama_pos))
        self.c.n_seq_id = <int32_t*> calloc(capacity, sizeof(int32_t))
        self.c.seq_id = <llama_seq_id**> calloc(capacity + 1, sizeof(llama_seq_id*))
        self.c.logits = <int8_t*> calloc(capacity, sizeof(int8_t))
        self.seqs = <llama_seq_id*> calloc(capacity, sizeof(llama_seq_id))
        if (self.c.token == NULL or self.c.pos == NULL or self.c.n_seq_id == NULL
                or self.c.seq_id == NULL or self.c.logits == NULL or self.seqs == NULL):
            raise MemoryError
        for i in range(capacity):
            self.c.n_seq_id[i] = 1
            self.c.seq_id[i] = &self.seqs[i]

    def __dealloc__(self):
        free(self.c.token)
        free(self.c.pos)
        free(self.c.n_seq_id)
        free(self.c.seq_id)
        free(self.c.logits)
        free(self.seqs)

    cdef void clear(self) noexcept nogil:
        self.c.n_tokens = 0

    cdef int32_t add(self, llama_seq_id seq, llama_pos pos, const llama_token* tokens,
                     int32_t n, int32_t n_outputs) noexcept nogil:
        """Append `n` rows of a sequence at positions [pos, pos + n).

        The last `n_outputs` are output rows: their logits can be read afterwards. Returns the
        index of the first of these.
        """
        cdef int32_t i, row = self.c.n_tokens
        for i in range(n):
            self.c.token[row + i] = tokens[i]
            self.c.pos[row + i] = pos + i
            self.seqs[row + i] = seq
        memset(self.c.logits + row, 0, n)
        self.c.n_tokens = row + n
        memset(self.c.logits + row + n - n_outputs, 1, n_outputs)
        return row + n - n_outputs

    def rows(self):
        """The rows as (token, position, sequence, is output) tuples."""
        return [(self.c.token[i], self.c.pos[i], self.seqs[i], bool(self.c.logits[i]))
                for i in range(self.c.n_tokens)]
