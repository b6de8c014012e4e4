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

What a memory can do is asked once of the model, as a `MemoryC`, and every attempt to share or trim
a part of a sequence is checked by the positions that are there afterwards.
"""
from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc

from .llama cimport LlamaC

cdef enum:
    FLAG_PARTIAL = 1      # LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY

cdef int32_t NO_WINDOW = 2**31 - 1


cdef class Context:
    """A borrowed `llama_context`.

    Its memory is unified, so that all sequences have their cells in one pool, or partitioned: a
    stream of `n_ctx` cells for each sequence.

    :param library: the function table.
    :param address: a `llama_context*`.
    :param owner: kept alive as long as this object.
    :param swa_full: whether it was made with `swa_full`, so that the cells of a sliding window
        are as many as the others.
    :ivar can_shift: whether cells may be moved to other positions; for who knows more, to make it
        False. Only where all of the memory is one attention cache: other memories cannot do it, or
        llama.cpp aborts when it rotates a cache in which no layer needs that.
    """

    def __cinit__(self, Library library not None, uintptr_t address, *, owner=None,
                  bint swa_full=False):
        cdef const void* model
        self.library = library
        self.owner = owner
        self.ctx = <void*> address
        self.memory = library.c.get_memory(self.ctx)
        self.n_ctx = <int32_t> library.c.n_ctx_seq(self.ctx)
        self.is_partitioned = self.n_ctx < <int32_t> library.c.n_ctx(self.ctx)
        self.n_batch = <int32_t> library.c.n_batch(self.ctx)
        self.n_ubatch = <int32_t> library.c.n_ubatch(self.ctx)
        self.n_seq_max = <int32_t> library.c.n_seq_max(self.ctx)
        model = library.c.get_model(self.ctx)
        self.is_recurrent = library.c.model_is_recurrent(model)
        self.n_window = library.c.model_n_swa(model) or NO_WINDOW
        self.is_windowed = self.n_window != NO_WINDOW
        self.kind = self.memory_kind(library.c.model_is_hybrid(model), swa_full)
        self.can_shift = (self.kind == MEMORY_CELLS and not self.is_windowed
                          and library.c.memory_can_shift(self.memory))

    cdef int32_t memory_kind(self, bint is_hybrid, bint swa_full):
        """A `MemoryC`.

        llama.cpp keeps a window for each sequence, and an ubatch; where that is the whole context,
        cells of a window are seldom taken before they are needed again.
        """
        cdef int64_t n_windows = 1 if self.is_partitioned else self.n_seq_max
        if self.is_recurrent or is_hybrid:
            return MEMORY_STATES
        if swa_full or not self.is_windowed or (
                self.n_window * n_windows + self.n_ubatch >= self.n_ctx):
            return MEMORY_CELLS
        return MEMORY_WINDOW

    cdef int32_t forward(self, llama_batch batch) noexcept nogil:
        """Compute a batch; see the table of return codes above."""
        cdef int32_t code
        self.is_copying = False
        code = self.library.c.decode(self.ctx, batch)
        if code == 0:
            self.is_shifting = False
        return code

    cdef float* logits(self, int32_t i_row) noexcept nogil:
        """Logits [n_vocab] of an output row of the last batch; waits for the device."""
        return self.library.c.get_logits_ith(self.ctx, i_row)

    cdef bint can_cut(self, llama_seq_id seq, llama_pos n) noexcept nogil:
        """Whether the first `n` positions of a sequence can be had without the rest."""
        cdef LlamaC* llama = &self.library.c
        if llama.memory_seq_pos_max(self.memory, seq) == n - 1:
            return True
        return self.kind != MEMORY_STATES and (
            llama.memory_seq_pos_min(self.memory, seq) <= max(0, n - self.n_window + 1))

    cdef int32_t trim(self, llama_seq_id seq, llama_pos n_keep) noexcept nogil:
        """Keep the first `n_keep` positions of a sequence, or none if its memory cannot do that.

        Returns how many it keeps. Recurrent memory refuses a partial removal; a sliding window
        accepts it and may lack the positions that the next one attends to.
        """
        cdef LlamaC* llama = &self.library.c
        if n_keep > 0 and self.can_cut(seq, n_keep) and (
                llama.memory_seq_rm(self.memory, seq, n_keep, -1)):
            if llama.memory_seq_pos_max(self.memory, seq) == n_keep - 1:
                return n_keep
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return 0

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
        """Give an empty sequence the first `n` positions of another.

        They are the same cells, or copies in a partitioned memory. Returns how many it has got:
        none if the memory cannot share such a part of a sequence.
        """
        cdef LlamaC* llama = &self.library.c
        if not self.can_cut(source, n):
            return 0
        if self.is_partitioned:
            self.copy(source, seq)
            return self.trim(seq, n)
        llama.memory_seq_cp(self.memory, source, seq, 0, n)
        if llama.memory_seq_pos_max(self.memory, seq) == n - 1 and self.own_window(seq):
            return n
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return 0

    cdef void copy(self, llama_seq_id source, llama_seq_id seq) noexcept nogil:
        """Give an empty sequence all positions of another.

        llama.cpp copies cells between streams when the next forward begins, and states at once.
        """
        self.library.c.memory_seq_cp(self.memory, source, seq, -1, -1)
        self.is_copying = self.is_copying or (self.is_partitioned and not self.is_recurrent)

    cdef bint own_window(self, llama_seq_id seq) noexcept nogil:
        """Give a sequence cells of its own for the sliding window; False, and empty, if that fails.

        llama.cpp reuses cells that have left the window, but not while two sequences hold them: it
        would run out of them.
        """
        cdef size_t n_bytes = 0
        cdef bint done
        cdef uint8_t* state
        if self.kind != MEMORY_WINDOW:
            return True
        state = self.save(seq, <size_t> -1, &n_bytes, True)
        done = state != NULL and self.restore(seq, state, n_bytes, True)
        free(state)
        return done

    cdef bint is_settled(self, bint partial) noexcept nogil:
        """Whether no copies between streams are due that what `save` reads may depend on."""
        return not self.is_copying or (partial and self.kind == MEMORY_STATES)

    cdef size_t state_bytes(self, llama_seq_id seq, bint partial) noexcept nogil:
        """Bytes that `save` would copy."""
        return self.library.c.state_seq_get_size_ext(
            self.ctx, seq, FLAG_PARTIAL if partial else 0)

    cdef uint8_t* save(self, llama_seq_id seq, size_t limit, size_t* n_bytes,
                       bint partial) noexcept nogil:
        """A copy of a sequence, owned by the caller; NULL if it is larger than `limit`.

        While copies between streams are due, the cells may not hold yet what they will. Between a
        shift and the next forward, they have their new positions, but the keys as they were.

        :param partial: only what of it cannot be cut: the state, or the sliding window.
        """
        cdef LlamaC* llama = &self.library.c
        cdef uint32_t flags = FLAG_PARTIAL if partial else 0
        cdef uint8_t* state
        if self.is_shifting or not self.is_settled(partial):
            return NULL
        n_bytes[0] = self.state_bytes(seq, partial)
        if n_bytes[0] == 0 or n_bytes[0] > limit:
            return NULL
        state = <uint8_t*> malloc(n_bytes[0])
        if state != NULL and llama.state_seq_get_data_ext(
                self.ctx, state, n_bytes[0], seq, flags) != n_bytes[0]:
            free(state)
            return NULL
        return state

    cdef bint restore(self, llama_seq_id seq, const uint8_t* state, size_t n_bytes,
                      bint partial) noexcept nogil:
        """Fill a sequence with what `save` copied; False, and empty, if that fails.

        :param partial: that was its state or window only, which is replaced; else it is empty.
        """
        cdef LlamaC* llama = &self.library.c
        cdef uint32_t flags = FLAG_PARTIAL if partial else 0
        if self.is_settled(partial) and (
                llama.state_seq_set_data_ext(self.ctx, state, n_bytes, seq, flags) == n_bytes):
            return True
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return False

    cdef bint return_to(self, llama_seq_id seq, llama_pos n, const uint8_t* state,
                        size_t n_bytes) noexcept nogil:
        """Cut a sequence after `n` positions with what `save` copied in part when it had so many.

        False, and empty, if that fails.
        """
        cdef LlamaC* llama = &self.library.c
        if not self.restore(seq, state, n_bytes, True):
            return False
        if llama.memory_seq_rm(self.memory, seq, n, -1) and (
                llama.memory_seq_pos_max(self.memory, seq) == n - 1):
            return True
        llama.memory_seq_rm(self.memory, seq, -1, -1)
        return False

    def positions(self, llama_seq_id seq):
        """The half-open range [p0, p1) of positions that a sequence holds; (0, 0) if none."""
        cdef llama_pos last = self.library.c.memory_seq_pos_max(self.memory, seq)
        if last < 0:
            return 0, 0
        return self.library.c.memory_seq_pos_min(self.memory, seq), last + 1
