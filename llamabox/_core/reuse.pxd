from libc.stdint cimport int32_t

from .llama cimport llama_token
from .pool cimport MatchC, Pool
from .request cimport RequestC


cdef struct ReuseC:
    int32_t i_source      # the parked sequence that holds the chunks, or -1
    int32_t n_common      # tokens that it holds where the prompt has them
    int32_t n_tokens      # with those of the chunks


cdef ReuseC find_reuse(Pool pool, const RequestC* request, int32_t n_match) noexcept nogil
cdef int32_t reuse(Pool pool, const ReuseC* found, RequestC* request) noexcept nogil
cdef ReuseC follow_chunks(Pool pool, int32_t i_sequence, const RequestC* request,
                          bint moves) noexcept nogil
cdef int32_t first_run(const llama_token* held, int32_t start, int32_t n_held,
                       const llama_token* wanted, int32_t n, int32_t* fallback) noexcept nogil
