"""A llama_context: the forward and its return codes, and the memory's operations.

Return codes of `forward` (llama.h, `llama_decode`):

==== =================================================== ======================================
code meaning                                             the memory afterwards
==== =================================================== ======================================
   0 success                                             holds every row
   1 no room for the batch                               as before
   2 aborted                                             may hold the first rows
  -1 invalid batch                                       as before
< -1 fatal                                               may hold the first rows
==== =================================================== ======================================
"""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc

from .llama cimport LlamaC


cdef class Context:
    """A borrowed `llama_context`.

    Its memory is unified, so that all sequences have their cells in one pool, or partitioned: a
    stream of `n_ctx` cells for each sequence.

    :param library: the function table.
    :param address: a `llama_context*`.
    :param owner: kept alive as long as this object.
    """

    def __cinit__(self, Library library not None, uintptr_t address, *, owner=None):
        self.library = library
        self.owner = owner
        self.ctx = <void*> address
        self.memory = library.c.get_memory(self.ctx)
        self.n_ctx = <int32_t> library.c.n_ctx_seq(self.ctx)
        self.is_partitioned = self.n_ctx < <int32_t> library.c.n_ctx(self.ctx)
        self.n_batch = <int32_t> library.c.n_batch(self.ctx)
        self.n_ubatch = <int32_t> library.c.n_ubatch(self.ctx)
        self.n_seq_max = <int32_t> library.c.n_seq_max(self.ctx)

    cdef int32_t forward(self, llama_batch batch) noexcept nogil:
        """Compute a batch; see the table of return codes above."""
        self.is_copying = False
        return self.library.c.decode(self.ctx, batch)

    cdef float* logits(self, int32_t i_row) noexcept nogil:
        """Logits [n_vocab] of an output row of the last batch; waits for the device."""
        return self.library.c.get_logits_ith(self.ctx, i_row)

    cdef int32_t trim(self, llama_seq_id seq, llama_pos n_keep) noexcept nogil:
        """Keep the first `n_keep` positions of a sequence, or none if its memory cannot do that.

        Returns how many it keeps. Recurrent memory refuses a partial removal; a sliding window
        accepts it and may lack the positions that the kept ones attend to.
        """
        cdef LlamaC* llama = &self.library.c
        if n_keep > 0 and llama.memory_seq_rm(self.memory, seq, n_keep, -1):
            if llama.memory_seq_pos_min(self.memory, seq) == 0:
                return n_keep
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return 0

    cdef int32_t share(self, llama_seq_id source, llama_seq_id seq, llama_pos n) noexcept nogil:
        """Give an empty sequence the first `n` positions of another.

        They are the same cells, or copies in a partitioned memory. Returns how many it has got:
        none if the memory cannot share a part of a sequence.
        """
        cdef LlamaC* llama = &self.library.c
        if self.is_partitioned:
            # llama.cpp copies whole streams, and does so at the next forward.
            llama.memory_seq_cp(self.memory, source, seq, -1, -1)
            self.is_copying = True
            return self.trim(seq, n)
        llama.memory_seq_cp(self.memory, source, seq, 0, n)
        if llama.memory_seq_pos_max(self.memory, seq) == n - 1 and (
                llama.memory_seq_pos_min(self.memory, seq) == 0):
            return n
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return 0

    cdef uint8_t* save(self, llama_seq_id seq, size_t limit, size_t* n_bytes) noexcept nogil:
        """A copy of a sequence's cells, owned by the caller; NULL if it is larger than `limit`.

        While copies between streams are due, the cells may not hold yet what they will.
        """
        cdef LlamaC* llama = &self.library.c
        cdef uint8_t* state
        if self.is_copying:
            return NULL
        n_bytes[0] = llama.state_seq_get_size(self.ctx, seq)
        if n_bytes[0] == 0 or n_bytes[0] > limit:
            return NULL
        state = <uint8_t*> malloc(n_bytes[0])
        if state != NULL and llama.state_seq_get_data(
                self.ctx, state, n_bytes[0], seq) != n_bytes[0]:
            free(state)
            return NULL
        return state

    cdef bint restore(self, llama_seq_id seq, const uint8_t* state,
                      size_t n_bytes) noexcept nogil:
        """Fill an empty sequence with what `save` copied; False, and empty, if that fails."""
        cdef LlamaC* llama = &self.library.c
        if self.is_copying:
            return False
        if llama.state_seq_set_data(self.ctx, state, n_bytes, seq) == n_bytes:
            return True
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return False

    def positions(self, llama_seq_id seq):
        """The half-open range [p0, p1) of positions that a sequence holds; (0, 0) if none."""
        cdef llama_pos last = self.library.c.memory_seq_pos_max(self.memory, seq)
        if last < 0:
            return 0, 0
        return self.library.c.memory_seq_pos_min(self.memory, seq), last + 1
