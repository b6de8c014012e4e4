"""Chunks of a prompt that a parked sequence holds at other positions.

Behind the common prefix, runs of tokens that the sequence holds further back are moved to where the
prompt has them, as in llama-server (`n_cache_reuse`): cells are not computed again, their keys are
rotated to the new positions (`llama_memory_seq_rm`, `llama_memory_seq_add`). They have seen what
was in front of them then, so nobody else may find them. The request takes the sequence over.
"""
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from .checkpoints cimport FoundC
from .pool cimport fail
from .prefix cimport HOLDER_PARKED, common_prefix
from .shift cimport disown


cdef ReuseC find_reuse(Pool pool, const RequestC* request, int32_t n_match) noexcept nogil:
    """The parked sequence of which a request can use most, or none (`i_source` is -1).

    :param n_match: tokens that the request can start from without it; it has to bring `n_reuse`
        more, as moving cells changes what comes of them.
    """
    cdef ReuseC best = ReuseC(-1, 0, n_match)
    cdef ReuseC found
    cdef int32_t i
    if request.n_reuse == 0 or not pool.context.can_shift or (
            request.n_tokens - 1 - n_match < request.n_reuse):
        return best
    for i in range(pool.tree.n_sequences):
        if pool.tree.sequences[i].holder == HOLDER_PARKED and (
                pool.tree.sequences[i].key == request.key
                and pool.length(i) >= pool.min_shared):
            found = follow_chunks(pool, i, request, False)
            if found.n_tokens > best.n_tokens and found.n_tokens - n_match >= request.n_reuse:
                best = found
    return best


cdef int32_t reuse(Pool pool, const ReuseC* found, RequestC* request) noexcept nogil:
    """A live sequence with the chunks that were found, where the request has them; -1, with nothing
    changed, if a live request shares cells that would move."""
    cdef MatchC whole
    cdef int32_t i, n = pool.length(found.i_source)
    if not pool.context.is_partitioned and not disown(pool, found.i_source, found.n_common):
        return -1
    whole = MatchC(n, found.i_source, found.i_source, n, found.i_source, FoundC(0, 0, -1, -1))
    pool.rescue(found.i_source)
    i = pool.attach(whole, request)
    if pool.length(i) < n or follow_chunks(pool, i, request, True).n_tokens < found.n_tokens:
        pool.cut(i, 0)
        return i
    pool.context.trim(i, found.n_tokens)
    if pool.tree.truncate(i, found.n_common) < 0 or pool.tree.extend_moved(
            i, request.tokens + found.n_common, found.n_tokens - found.n_common) < 0:
        fail("out of memory")
    request.is_moved = True
    request.n_unmoved = found.n_common
    return i


cdef ReuseC follow_chunks(Pool pool, int32_t i_sequence, const RequestC* request,
                          bint moves) noexcept nogil:
    """The common prefix, and one chunk after another that can follow it: always the first one of at
    least `n_reuse` tokens, as long as it goes on.

    They end before the prompt's last token, which is always computed.

    :param moves: move them in the memory; the books stay.
    """
    cdef ReuseC found = ReuseC(i_sequence, 0, 0)
    cdef int32_t n_held = pool.length(i_sequence)
    cdef int32_t n = request.n_tokens
    cdef int32_t i_from, n_chunk
    cdef llama_token* held = <llama_token*> malloc(n_held * sizeof(llama_token))
    cdef int32_t* fallback = <int32_t*> malloc(request.n_reuse * sizeof(int32_t))
    if held != NULL and fallback != NULL:
        pool.tree.copy_tokens(i_sequence, held)
        found.n_common = common_prefix(held, request.tokens, min(n_held, n - 1))
        found.n_tokens = i_from = found.n_common
        while n - found.n_tokens >= request.n_reuse:
            i_from = first_run(held, i_from, n_held, request.tokens + found.n_tokens,
                               request.n_reuse, fallback)
            if i_from < 0:
                break
            n_chunk = common_prefix(held + i_from, request.tokens + found.n_tokens,
                                    min(n_held - i_from, n - found.n_tokens))
            if moves and not pool.context.shift(
                    i_sequence, found.n_tokens, i_from - found.n_tokens, i_from + n_chunk):
                break
            found.n_tokens += n_chunk
            i_from += n_chunk
        found.n_tokens = min(found.n_tokens, n - 1)
    free(held)
    free(fallback)
    return found


cdef int32_t first_run(const llama_token* held, int32_t start, int32_t n_held,
                       const llama_token* wanted, int32_t n, int32_t* fallback) noexcept nogil:
    """The first position from `start` on at which `held` goes on with `n` wanted tokens, or -1.

    Knuth, Morris and Pratt's search, so that repetitions take no longer than anything else.

    :param fallback: scratch [n].
    """
    cdef int32_t i, n_equal = 0
    if n_held - start < n:
        return -1
    if memcmp(held + start, wanted, n * sizeof(llama_token)) == 0:
        return start
    fallback[0] = 0
    for i in range(1, n):
        while n_equal > 0 and wanted[i] != wanted[n_equal]:
            n_equal = fallback[n_equal - 1]
        n_equal += wanted[i] == wanted[n_equal]
        fallback[i] = n_equal
    n_equal = 0
    for i in range(start, n_held):
        while n_equal > 0 and held[i] != wanted[n_equal]:
            n_equal = fallback[n_equal - 1]
        n_equal += held[i] == wanted[n_equal]
        if n_equal == n:
            return i + 1 - n
    return -1
