"""Context shift: a request whose context is full goes on without some of its tokens.

`n_discard` tokens behind the first `n_keep` go, and what is behind them moves up, as in
llama-server: cells are not computed again, their keys are rotated to the new positions
(`llama_memory_seq_rm`, `llama_memory_seq_add`). They are not what a computation of the tokens that
are left would give, because they have seen those that are gone. So no other request may find them.

A position belongs to a cell, not to a sequence. Where another request runs on the cells, or the
memory cannot move them, the request gives up what is behind `n_keep`; the catch-up rule computes it
again, from the tokens that are left.
"""
from .pool cimport fail
from .prefix cimport HOLDER_LIVE, NodeC
from .request cimport request_discard


cdef void shift(Pool pool, int32_t i_sequence, RequestC* request) noexcept nogil:
    """Discard tokens of a live request, and their cells; `n_past` becomes what is computed of the
    others."""
    cdef bint moved = move_cells(pool, i_sequence, request)
    cdef int32_t n_unmoved = request.n_keep
    if request.is_moved:
        # What is kept may have moved when the request began (`reuse`).
        n_unmoved = min(n_unmoved, request.n_unmoved)
    if request_discard(request) < 0:
        fail("out of memory")
    if moved:
        request.n_past -= request.n_discard
        if pool.tree.truncate(i_sequence, request.n_keep) < 0 or pool.tree.extend_moved(
                i_sequence, request.tokens + request.n_keep, request.n_past - request.n_keep) < 0:
            fail("out of memory")
    else:
        pool.cut(i_sequence, request.n_keep)
        request.n_past = pool.length(i_sequence)
    request.is_moved = moved or n_unmoved < request.n_keep
    request.n_unmoved = n_unmoved
    request.n_branch = min(request.n_branch, request.n_keep)


cdef bint move_cells(Pool pool, int32_t i_sequence, const RequestC* request) noexcept nogil:
    """Move the cells behind the discarded ones up in the memory; False if that may not be."""
    cdef int32_t n_gone = request.n_keep + request.n_discard
    if request.n_past <= n_gone or not pool.context.can_shift:
        return False
    if not pool.context.is_partitioned and not disown(pool, i_sequence, n_gone):
        return False
    return pool.context.shift(i_sequence, request.n_keep, request.n_discard, request.n_past)


cdef bint disown(Pool pool, int32_t i_sequence, int32_t n_before) noexcept nogil:
    """Leave the cells of a sequence behind the first `n_before` to it alone, by evicting those
    parked ones that share them; False, with none evicted, if a live one does."""
    cdef int32_t i
    for i in range(pool.tree.n_sequences):
        if i != i_sequence and pool.tree.sequences[i].holder == HOLDER_LIVE and (
                n_common(pool.tree, i, i_sequence) > n_before):
            return False
    for i in range(pool.tree.n_sequences):
        if i != i_sequence and n_common(pool.tree, i, i_sequence) > n_before:
            pool.retire(i)
    return True


cdef int32_t n_common(PrefixTree tree, int32_t i, int32_t j) noexcept nogil:
    """Tokens whose nodes two sequences share: the same cells, in a unified memory."""
    cdef NodeC* a = tree.sequences[i].tail
    cdef NodeC* b = tree.sequences[j].tail
    cdef int32_t n_a = tree.sequences[i].n_tokens
    cdef int32_t n_b = tree.sequences[j].n_tokens
    while a != b:
        if n_a >= n_b:
            n_a -= a.n_tokens
            a = a.parent
        else:
            n_b -= b.n_tokens
            b = b.parent
    return n_a
