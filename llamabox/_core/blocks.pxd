from libc.stdint cimport int32_t, int64_t, uint8_t

from .llama cimport llama_token

cdef enum:
    DIGEST_BYTES = 32


cdef struct BlockC:
    llama_token* tokens   # behind the struct, in the same piece of memory
    int32_t n_tokens
    int32_t begin         # position of the first of them
    int64_t key           # what else the meaning of the tokens depends on
    uint8_t* data         # the cells, as llama.cpp saves them; NULL: not in RAM
    size_t n_bytes        # of the cells, wherever they are
    int64_t file          # the worker's number of the file that holds them; 0: none
    int32_t n_pins        # jobs and fetches that need it to stay
    bint is_pending       # a job is about to bring its cells
    uint8_t digest[DIGEST_BYTES]   # of all tokens up to its end; the worker's alone
    BlockC* parent
    BlockC* child         # the first of them; siblings are linked by `next`
    BlockC* next
    BlockC* newer         # of the blocks in RAM, in order of their last use
    BlockC* older


cdef class Blocks:
    cdef BlockC root
    cdef BlockC* newest
    cdef BlockC* oldest
    cdef BlockC** by_file
    cdef int64_t n_by_file
    cdef readonly int32_t n_tokens        # of a block that has room for no more
    cdef readonly size_t limit            # bytes in RAM
    cdef readonly size_t n_bytes          # in RAM
    cdef readonly size_t n_reserved       # bytes of what jobs are about to bring
    cdef readonly int64_t n_in_ram
    cdef readonly int64_t n_in_files
    cdef readonly size_t n_file_bytes

    cdef int32_t find(self, const llama_token* tokens, int32_t n, int64_t key,
                      BlockC** last) noexcept nogil
    cdef BlockC* missing(self, const llama_token* tokens, int32_t n, int64_t key,
                         int32_t* n_held) noexcept nogil
    cdef BlockC* child_of(self, BlockC* parent, const llama_token* tokens, int32_t n,
                          int64_t key) noexcept nogil
    cdef BlockC* add(self, BlockC* parent, const llama_token* tokens, int32_t n,
                     int64_t key) noexcept nogil
    cdef BlockC* outdated(self, const BlockC* block) noexcept nogil
    cdef void hold(self, BlockC* block, uint8_t* data, size_t n_bytes) noexcept nogil
    cdef void touch(self, BlockC* last) noexcept nogil
    cdef bint make_room(self, size_t n_bytes) noexcept nogil
    cdef bint reserve(self, size_t n_bytes) noexcept nogil
    cdef void unreserve(self, size_t n_bytes) noexcept nogil
    cdef void forget_data(self, BlockC* block) noexcept nogil
    cdef int set_file(self, BlockC* block, int64_t file) noexcept nogil
    cdef void lose_file(self, int64_t file) noexcept nogil
    cdef BlockC* of_file(self, int64_t file) noexcept nogil
    cdef void prune(self, BlockC* block) noexcept nogil
    cdef void put_first(self, BlockC* block) noexcept nogil
    cdef void take_out(self, BlockC* block) noexcept nogil


cdef bint is_held(const BlockC* block) noexcept nogil
