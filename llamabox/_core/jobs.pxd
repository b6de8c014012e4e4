from libc.stdint cimport int32_t, int64_t, uint8_t

from .blocks cimport DIGEST_BYTES, BlockC
from .inbox cimport InboxC
from .llama cimport llama_token
from .sync cimport pthread_cond_t, pthread_mutex_t

cdef enum JobKindC:
    JOB_WRITE = 1         # `block` into a file
    JOB_READ = 2          # `block` out of a file, into `data`
    JOB_SPLIT = 3         # `data` into the cells of blocks, `parts`
    JOB_JOIN = 4          # the cells of blocks, `parts`, into `data`
    JOB_TOUCH = 5         # `file` and those in front of it were used
    JOB_DELETE = 6        # `file`, which nobody needs any more
    JOB_FOUND = 7         # of the worker's own: a file that holds a block
    JOB_GONE = 8          # of the worker's own: `file` is not there any more


cdef struct PartC:
    BlockC* block         # pinned
    uint8_t* data         # its cells; what a split brings belongs to the job
    size_t n_bytes
    int32_t p0            # the half-open range of positions that is wanted of it
    int32_t p1


cdef struct JobC:
    int kind              # JobKindC
    bint is_done          # it has succeeded
    JobC* next
    BlockC* block         # pinned, but for JOB_FOUND
    uint8_t* data         # belongs to the job
    size_t n_bytes
    size_t capacity
    size_t n_reserved     # bytes of RAM that are kept free for it
    PartC* parts
    int32_t n_parts
    void* fetch           # who waits for it, or NULL
    int64_t file
    int64_t parent        # of JOB_FOUND: the file of the block in front of it, or 0
    int32_t begin         # of JOB_FOUND, with what follows
    int32_t n_tokens
    int64_t key
    llama_token* tokens   # belongs to the job
    uint8_t digest[DIGEST_BYTES]


cdef struct QueueC:
    pthread_mutex_t mutex
    pthread_cond_t changed
    JobC* first
    JobC* last
    int n
    bint closed


cdef class Job


cdef class Jobs:
    cdef QueueC waiting   # for the worker
    cdef QueueC done      # for the step thread
    cdef InboxC* inbox    # of the step thread; poked when something is done
    cdef int is_served    # a worker takes jobs, or will
    cdef int64_t t_last   # nanoseconds; when a closed queue is left as it is
    cdef readonly bint writes          # blocks are written to files
    cdef readonly bint is_scanned      # the worker has told of all files

    cdef bint give(self, JobC* job) noexcept nogil
    cdef JobC* collect(self) noexcept nogil
    cdef void await_done(self, int64_t ns) noexcept nogil
    cdef void report(self, JobC* job) noexcept nogil
    cdef void set_inbox(self, InboxC* inbox) noexcept nogil
    cdef do_job(self, Job job, files)
    cdef retire(self)
    cdef Job take(self)
    cdef tell_gone(self, files)


cdef class Job:
    cdef JobC* c
    cdef give_back(self, Jobs jobs)


cdef JobC* new_job(int kind, int32_t n_parts) noexcept nogil
cdef void free_job(JobC* job) noexcept nogil
