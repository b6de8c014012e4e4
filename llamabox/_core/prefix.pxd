from libc.stdint cimport int32_t, int64_t

from .llama cimport llama_token

cdef enum HolderC:
    HOLDER_NONE = 0       # the sequence is empty and free to take
    HOLDER_LIVE = 1       # a request computes on it
    HOLDER_PARKED = 2     # it waits for a request that shares its prefix


cdef struct NodeC:
    llama_token* tokens   # the edge from the parent: one cell each
    int32_t n_tokens
    int32_t capacity
    int64_t key           # of the sequences that pass through or end here
    int32_t n_live        # live sequences that pass through or end here
    int32_t n_parked      # parked ones
    bint is_moved         # the cells are not what a computation of the tokens would give
    NodeC* parent
    NodeC* child          # the first of them; siblings are linked by `next`
    NodeC* next
    SequenceC* ending     # sequences that end here, linked by `next`


cdef struct SequenceC:
    NodeC* tail           # the node at whose end it ends
    int32_t n_tokens
    int64_t key           # what else the meaning of its tokens depends on
    HolderC holder
    int64_t parked_at     # order of parking
    SequenceC* next


cdef class PrefixTree:
    cdef NodeC* root
    cdef SequenceC* sequences
    cdef readonly int32_t n_sequences
    cdef readonly int64_t n_cells        # that any sequence holds
    cdef readonly int64_t n_live_cells   # that a live sequence holds
    cdef int64_t n_parkings

    cdef int32_t find(self, const llama_token* tokens, int32_t n, int64_t key, int32_t* n_match,
                      int32_t* i_whole) noexcept nogil
    cdef int32_t longest_whole(self, const llama_token* tokens, int32_t n,
                               int64_t key) noexcept nogil
    cdef int32_t vacant(self) noexcept nogil
    cdef int32_t oldest_parked(self) noexcept nogil
    cdef int32_t first_idle(self) noexcept nogil
    cdef void start(self, int32_t i, int64_t key) noexcept nogil
    cdef int share(self, int32_t i_source, int32_t i, int32_t n) noexcept nogil
    cdef int extend(self, int32_t i, const llama_token* tokens, int32_t n) noexcept nogil
    cdef int extend_moved(self, int32_t i, const llama_token* tokens, int32_t n) noexcept nogil
    cdef int truncate(self, int32_t i, int32_t n) noexcept nogil
    cdef void park(self, int32_t i) noexcept nogil
    cdef void replace(self, int32_t i, int32_t i_new) noexcept nogil
    cdef void drop(self, int32_t i) noexcept nogil
    cdef int32_t n_lasting(self, int32_t i) noexcept nogil
    cdef int32_t n_exclusive(self, int32_t i) noexcept nogil
    cdef bint is_redundant(self, int32_t i) noexcept nogil
    cdef void copy_tokens(self, int32_t i, llama_token* tokens) noexcept nogil
    cdef NodeC* node_at(self, int32_t i, int32_t n) noexcept nogil
    cdef void move(self, int32_t i, NodeC* node, int32_t n_tokens) noexcept nogil
    cdef void count(self, NodeC* node, int32_t n_live, int32_t n_parked) noexcept nogil
    cdef void prune(self, NodeC* node) noexcept nogil
    cdef int32_t whole_parked(self, NodeC* node, int32_t n_match) noexcept nogil


cdef int32_t descend(NodeC* node, const llama_token* tokens, int32_t n, int64_t key,
                     NodeC** deepest) noexcept nogil
cdef int32_t common_prefix(const llama_token* a, const llama_token* b, int32_t n) noexcept nogil
