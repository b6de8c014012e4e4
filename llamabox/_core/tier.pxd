from libc.stdint cimport int32_t, int64_t, uint8_t

from .blocks cimport BlockC, Blocks
from .context cimport Context
from .jobs cimport JobC, Jobs
from .llama cimport llama_token
from .prefix cimport PrefixTree

cdef enum SavedC:
    SAVED = 0             # nothing is missing any more, or nothing can be done about it
    SAVED_PART = 1        # there is more to do, when there is time for it
    SAVED_LATER = 2       # room has to come free first
    SAVED_NOT = 3         # this cannot be saved


cdef struct FetchC:
    BlockC** chain        # pinned blocks from the beginning of the prompt on
    int32_t n_blocks
    int32_t n_tokens      # of the prompt that they give
    int32_t n_waits       # steps that it has waited for the memory to settle
    int32_t n_jobs        # that are not done
    bint is_first         # the request has not begun before: what comes counts as cached
    bint has_given        # some of it is in cells
    bint is_abandoned     # nobody waits for it
    bint rests            # the step that restored it computes nothing of its request
    bint has_failed       # the blocks could not be joined
    JobC* joined          # all blocks as one saved sequence; for a partitioned memory
    int64_t t_open
    int64_t t_progress


cdef struct TierStatsC:
    int64_t n_hits
    int64_t n_saved_tokens
    int64_t n_loaded_tokens


cdef class Tier:
    cdef readonly Context context
    cdef readonly Blocks blocks
    cdef readonly Jobs jobs
    cdef readonly int32_t min_tokens
    cdef readonly int32_t n_sequences    # that the pool may use
    cdef int32_t i_spare                 # the sequence that slices go through; -1: whole copies
    cdef int64_t* saved_at               # `parked_at` of what was saved of each sequence
    cdef llama_token* tokens             # scratch for a sequence's
    cdef uint8_t* buffer                 # for whole copies, kept for the next one
    cdef size_t capacity
    cdef int64_t slices_ns               # what the slices of a step may take
    cdef int64_t whole_ns                # what a whole copy may take; negative: as long as it takes
    cdef double block_ns                 # measured: a slice
    cdef double byte_ns                  # measured: a byte of a whole copy
    cdef JobC* backlog                   # what the worker has done and nobody has looked at
    cdef bint is_stuck                   # nothing can be saved before something is done
    cdef int64_t n_writing
    cdef TierStatsC stats

    cdef void set_pace(self, bint is_busy, double decode_ns) noexcept nogil
    cdef bint is_settled(self) noexcept nogil
    cdef bint has_work(self, PrefixTree tree) noexcept nogil
    cdef int32_t next_unsaved(self, PrefixTree tree) noexcept nogil
    cdef void save_behind(self, PrefixTree tree) noexcept nogil
    cdef void rescue(self, PrefixTree tree, int32_t i_sequence) noexcept nogil
    cdef int save(self, PrefixTree tree, int32_t i_sequence, int64_t t_end) noexcept nogil
    cdef int save_slices(self, int32_t i_sequence, int32_t n, int64_t key,
                         int64_t t_end) noexcept nogil
    cdef int save_slice(self, int32_t i_sequence, BlockC* block) noexcept nogil
    cdef uint8_t* copy_slice(self, int32_t i_sequence, int32_t p0, int32_t p1,
                             size_t* n_bytes) noexcept nogil
    cdef int save_whole(self, int32_t i_sequence, int32_t n, int64_t key) noexcept nogil
    cdef JobC* whole_job(self, BlockC* parent, int32_t n_held, int32_t n, int64_t key,
                         size_t n_bytes) noexcept nogil
    cdef bint copy_whole(self, int32_t i_sequence, JobC* job, size_t n_bytes) noexcept nogil
    cdef bint is_room_coming(self) noexcept nogil
    cdef void settle_block(self, BlockC* block) noexcept nogil
    cdef void save_rest(self, PrefixTree tree) noexcept nogil
    cdef bint collect(self) noexcept nogil
    cdef void take_done(self, JobC* job) noexcept nogil
    cdef void end_split(self, JobC* job) noexcept nogil
    cdef void end_fetch_job(self, JobC* job) noexcept nogil
    cdef void adopt(self, JobC* job) noexcept nogil
    cdef void take_buffer(self, JobC* job) noexcept nogil
    cdef void give_buffer_back(self, JobC* job) noexcept nogil
    cdef bint give_file_job(self, int kind, int64_t file) noexcept nogil


cdef void pin_chain(BlockC* block, int32_t n) noexcept nogil
cdef void free_fetch(FetchC* fetch) noexcept nogil
