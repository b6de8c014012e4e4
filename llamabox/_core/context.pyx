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
    """A borrowed `llama_context` with a unified memory.

    :param library: the function table.
    :param address: a `llama_context*`.
    :param owner: kept alive as long as this object.
    :param may_shift: move cells to other positions, if the memory says that it can. It may say so
        and abort the process, or spoil other cells; see `api.context`.
    """

    def __cinit__(self, Library library not None, uintptr_t address, *, owner=None,
                  bint may_shift=False):
        self.library = library
        self.owner = owner
        self.ctx = <void*> address
        self.memory = library.c.get_memory(self.ctx)
        self.n_ctx = <int32_t> library.c.n_ctx(self.ctx)
        self.n_batch = <int32_t> library.c.n_batch(self.ctx)
        self.n_ubatch = <int32_t> library.c.n_ubatch(self.ctx)
        self.n_seq_max = <int32_t> library.c.n_seq_max(self.ctx)
        self.can_shift = may_shift and library.c.memory_can_shift(self.memory)

    cdef int32_t forward(self, llama_batch batch) noexcept nogil:
        """Compute a batch; see the table of return codes above."""
        cdef int32_t code = self.library.c.decode(self.ctx, batch)
        if code == 0:
            self.is_shifting = False
        return code

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

    cdef bint is_whole(self, llama_seq_id seq) noexcept nogil:
        """Whether each position of a sequence has cells; not so behind a sliding window, nor in
        recurrent memory."""
        return self.library.c.memory_seq_pos_min(self.memory, seq) == 0

    cdef bint shift(self, llama_seq_id seq, llama_pos n_keep, llama_pos n_discard,
                    llama_pos n) noexcept nogil:
        """Remove `n_discard` of a sequence's `n` positions behind the first `n_keep`, and move
        what is behind them up. No other sequence holds a cell that moves.

        False if the memory refuses, and may have removed what was to be discarded.
        """
        cdef LlamaC* llama = &self.library.c
        if not llama.memory_seq_rm(self.memory, seq, n_keep, n_keep + n_discard):
            return False
        llama.memory_seq_add(self.memory, seq, n_keep + n_discard, n, -n_discard)
        self.is_shifting = True
        return True

    cdef int32_t share(self, llama_seq_id source, llama_seq_id seq, llama_pos n) noexcept nogil:
        """Give an empty sequence the first `n` positions of another, in the same cells.

        Returns how many it has got: none if the memory cannot share a part of a sequence.
        """
        cdef LlamaC* llama = &self.library.c
        llama.memory_seq_cp(self.memory, source, seq, 0, n)
        if llama.memory_seq_pos_max(self.memory, seq) == n - 1 and (
                llama.memory_seq_pos_min(self.memory, seq) == 0):
            return n
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return 0

    cdef uint8_t* save(self, llama_seq_id seq, size_t limit, size_t* n_bytes) noexcept nogil:
        """A copy of a sequence's cells, owned by the caller; NULL if it is larger than `limit`.

        NULL also between a shift and the next forward: the copy would have the new positions, but
        the keys as they were.
        """
        cdef LlamaC* llama = &self.library.c
        cdef uint8_t* state
        if self.is_shifting:
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
