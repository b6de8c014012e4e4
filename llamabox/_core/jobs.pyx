"""What the step thread leaves to a worker thread, and what it gets back.

Two linked lists under a mutex each, which is held for a few instructions. A job belongs to whoever
has it. The worker does everything that may take long: files, checksums, taking states apart.
"""
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from .inbox cimport inbox_poke
from .state cimport WantedC, merge
from .sync cimport (
    load_int,
    now_ns,
    pthread_cond_destroy,
    pthread_cond_init,
    pthread_cond_signal,
    pthread_cond_timedwait,
    pthread_mutex_destroy,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
    store_int,
)

# What a waiting worker looks up for, in nanoseconds.
cdef int64_t NAP_NS = 1_000_000_000


cdef class Jobs:
    """The two queues between a step thread and one worker, whose thread calls `serve`.

    :param writes: blocks are to be written to files.
    """

    def __cinit__(self, bint writes=False):
        queue_init(&self.waiting)
        queue_init(&self.done)
        self.is_served = 1
        self.writes = writes

    def __dealloc__(self):
        queue_free(&self.waiting)
        queue_free(&self.done)

    cdef bint give(self, JobC* job) noexcept nogil:
        """Hand a job to the worker; False, and it stays the caller's, if there is none."""
        cdef bint is_taken
        pthread_mutex_lock(&self.waiting.mutex)
        is_taken = load_int(&self.is_served) != 0 and not self.waiting.closed
        if is_taken:
            append(&self.waiting, job)
            pthread_cond_signal(&self.waiting.changed)
        pthread_mutex_unlock(&self.waiting.mutex)
        return is_taken

    cdef JobC* collect(self) noexcept nogil:
        """All jobs that are done, linked by `next`, or NULL."""
        pthread_mutex_lock(&self.done.mutex)
        cdef JobC* first = self.done.first
        self.done.first = self.done.last = NULL
        self.done.n = 0
        pthread_mutex_unlock(&self.done.mutex)
        return first

    cdef void await_done(self, int64_t ns) noexcept nogil:
        """Sleep until something is done, for so long at most."""
        cdef timespec until = from_now(ns)
        pthread_mutex_lock(&self.done.mutex)
        if self.done.first == NULL:
            pthread_cond_timedwait(&self.done.changed, &self.done.mutex, &until)
        pthread_mutex_unlock(&self.done.mutex)

    cdef void report(self, JobC* job) noexcept nogil:
        """Hand a job to the step thread, and wake it up."""
        pthread_mutex_lock(&self.done.mutex)
        append(&self.done, job)
        pthread_cond_signal(&self.done.changed)
        if self.inbox != NULL:
            inbox_poke(self.inbox)
        pthread_mutex_unlock(&self.done.mutex)

    cdef void set_inbox(self, InboxC* inbox) noexcept nogil:
        """Whom to wake up, also for what is done already; or NULL."""
        pthread_mutex_lock(&self.done.mutex)
        self.inbox = inbox
        if inbox != NULL:
            inbox_poke(inbox)
        pthread_mutex_unlock(&self.done.mutex)

    def serve(self, files=None, owner=None):
        """Do jobs until `close`; the life of the worker, which is a thread of its own.

        :param files: a `PrefixFiles`, or None if there are none.
        :param owner: kept alive for as long.
        """
        cdef Job job
        try:
            for found in files.scan() if files is not None else ():
                if found is not None:
                    self.tell_found(*found)
                while self.waiting.n > 0 and (job := self.take()) is not None:
                    self.do_job(job, files)
                if self.waiting.closed:
                    break
            self.is_scanned = True
            while (job := self.take()) is not None:
                self.do_job(job, files)
        finally:
            self.retire()

    cdef do_job(self, Job job, files):
        """One job, whatever becomes of it."""
        try:
            if job.c.kind == JOB_SPLIT:
                job.c.is_done = split(job.c)
            elif job.c.kind == JOB_JOIN:
                job.c.is_done = join(job.c)
            elif files is not None:
                job.c.is_done = bool(files.do(job))
            if job.c.kind == JOB_READ and job.c.is_done:
                job.c.is_done = is_block(job.c)
        finally:
            job.give_back(self)
            if files is not None:
                self.tell_gone(files)

    cdef retire(self):
        """Take no more jobs, and give those back that are left."""
        cdef JobC* job
        cdef JobC* following
        pthread_mutex_lock(&self.waiting.mutex)
        store_int(&self.is_served, 0)
        job = self.waiting.first
        self.waiting.first = self.waiting.last = NULL
        self.waiting.n = 0
        pthread_mutex_unlock(&self.waiting.mutex)
        while job != NULL:
            following = job.next
            self.report(job)
            job = following

    cdef Job take(self):
        """The next job, or None once the queue is closed, and empty or out of time."""
        cdef Job taken
        cdef JobC* job
        cdef timespec until
        with nogil:
            pthread_mutex_lock(&self.waiting.mutex)
            while self.waiting.first == NULL and not self.waiting.closed:
                until = from_now(NAP_NS)
                pthread_cond_timedwait(&self.waiting.changed, &self.waiting.mutex, &until)
            job = self.waiting.first
            if self.waiting.closed and now_ns() > self.t_last:
                job = NULL
            if job != NULL:
                self.waiting.first = job.next
                self.waiting.n -= 1
                if job.next == NULL:
                    self.waiting.last = NULL
            pthread_mutex_unlock(&self.waiting.mutex)
        if job == NULL:
            return None
        taken = Job.__new__(Job)
        taken.c = job
        return taken

    def tell_found(self, int64_t file, int64_t parent, int64_t key, int32_t begin, tokens,
                   size_t n_bytes, bytes digest):
        """Tell the step thread of a block in a file; that of its parent was told of before."""
        cdef const int32_t[::1] view = tokens
        cdef JobC* job = new_job(JOB_FOUND, 0)
        if job != NULL:
            job.tokens = <llama_token*> malloc(len(tokens) * sizeof(llama_token))
        if job == NULL or job.tokens == NULL:
            free_job(job)
            raise MemoryError
        memcpy(job.tokens, &view[0], len(tokens) * sizeof(llama_token))
        memcpy(job.digest, <const char*> digest, DIGEST_BYTES)
        job.file, job.parent, job.key = file, parent, key
        job.begin, job.n_tokens, job.n_bytes = begin, <int32_t> len(tokens), n_bytes
        self.report(job)

    cdef tell_gone(self, files):
        cdef JobC* job
        for file in files.take_gone():
            job = new_job(JOB_GONE, 0)
            if job == NULL:
                raise MemoryError
            job.file = file
            self.report(job)

    def close(self, int64_t ns=0):
        """Make `serve` return once it has done what it was given, or such a time has passed."""
        pthread_mutex_lock(&self.waiting.mutex)
        self.t_last = now_ns() + ns
        self.waiting.closed = True
        pthread_cond_signal(&self.waiting.changed)
        pthread_mutex_unlock(&self.waiting.mutex)

    @property
    def n_waiting(self):
        return self.waiting.n


cdef class Job:
    """A job of files, as the worker's Python code sees it."""

    cdef give_back(self, Jobs jobs):
        jobs.report(self.c)
        self.c = NULL

    @property
    def kind(self):
        """"write", "read", "touch" or "delete"."""
        return {JOB_WRITE: "write", JOB_READ: "read", JOB_TOUCH: "touch",
                JOB_DELETE: "delete"}[self.c.kind]

    @property
    def key(self):
        return self.c.block.key

    @property
    def begin(self):
        """Position of the block's first token."""
        return self.c.block.begin

    @property
    def tokens(self):
        """The block's tokens, as bytes of int32."""
        cdef BlockC* block = self.c.block
        return (<const char*> block.tokens)[:block.n_tokens * sizeof(llama_token)]

    @property
    def parent_digest(self):
        """Of the tokens in front of the block; of nothing if it is the first."""
        cdef BlockC* parent = self.c.block.parent
        return (<const char*> parent.digest)[:DIGEST_BYTES]

    @property
    def digest(self):
        return (<const char*> self.c.block.digest)[:DIGEST_BYTES]

    @digest.setter
    def digest(self, bytes digest):
        memcpy(self.c.block.digest, <const char*> digest, DIGEST_BYTES)

    @property
    def file(self):
        """Number of the file."""
        return self.c.file

    @file.setter
    def file(self, int64_t file):
        self.c.file = file

    @property
    def n_bytes(self):
        """Bytes of the block's cells."""
        return self.c.block.n_bytes

    @property
    def data(self):
        """The cells that are to be written."""
        cdef BlockC* block = self.c.block
        return <const uint8_t[:block.n_bytes]> block.data

    def room(self):
        """Memory for the cells that are read, writable."""
        cdef size_t n = self.c.block.n_bytes
        if self.c.data == NULL:
            self.c.data = <uint8_t*> malloc(max(n, <size_t> 1))
            if self.c.data == NULL:
                raise MemoryError
            self.c.n_bytes = self.c.capacity = n
        return <uint8_t[:n]> self.c.data


cdef JobC* new_job(int kind, int32_t n_parts) noexcept nogil:
    """A job with room for so many parts, or NULL."""
    cdef JobC* job = <JobC*> calloc(1, sizeof(JobC))
    if job == NULL:
        return NULL
    job.kind = kind
    if n_parts > 0:
        job.parts = <PartC*> calloc(n_parts, sizeof(PartC))
        job.n_parts = n_parts
        if job.parts == NULL:
            free(job)
            return NULL
    return job


cdef void free_job(JobC* job) noexcept nogil:
    """Free a job with what belongs to it."""
    cdef int32_t i
    if job == NULL:
        return
    if job.kind == JOB_SPLIT:
        for i in range(job.n_parts):
            free(job.parts[i].data)
    free(job.parts)
    free(job.tokens)
    free(job.data)
    free(job)


cdef bint is_block(const JobC* job) noexcept nogil:
    """Whether what was read is a state with the positions of its block and nothing else."""
    cdef WantedC wanted = WantedC(
        job.data, job.n_bytes, job.block.begin, job.block.begin + job.block.n_tokens)
    return merge(&wanted, 1, NULL) == job.n_bytes


cdef bint split(JobC* job) noexcept:
    """Take a saved sequence apart; True if all parts have their cells."""
    cdef int32_t i
    cdef PartC* part
    cdef WantedC wanted
    with nogil:
        for i in range(job.n_parts):
            part = &job.parts[i]
            wanted = WantedC(job.data, job.n_bytes, part.p0, part.p1)
            part.n_bytes = merge(&wanted, 1, NULL)
            part.data = <uint8_t*> malloc(part.n_bytes) if part.n_bytes > 0 else NULL
            if part.data == NULL:
                return False
            merge(&wanted, 1, part.data)
    return True


cdef bint join(JobC* job) noexcept:
    """Put the cells of blocks together, as one saved sequence."""
    cdef int32_t i
    cdef size_t n
    cdef void* grown
    cdef WantedC* wanted = <WantedC*> malloc(job.n_parts * sizeof(WantedC))
    cdef bint done = False
    if wanted == NULL:
        return False
    with nogil:
        for i in range(job.n_parts):
            wanted[i] = WantedC(job.parts[i].data, job.parts[i].n_bytes, job.parts[i].p0,
                                job.parts[i].p1)
        n = merge(wanted, job.n_parts, NULL)
        grown = job.data
        if n > job.capacity:
            grown = realloc(job.data, n)
        if n > 0 and grown != NULL:
            job.data = <uint8_t*> grown
            job.capacity = max(n, job.capacity)
            job.n_bytes = merge(wanted, job.n_parts, job.data)
            done = True
    free(wanted)
    return done


cdef timespec from_now(int64_t ns) noexcept nogil:
    """A moment of the clock that conditions wait by."""
    cdef timespec t
    clock_gettime(CLOCK_REALTIME, &t)
    ns += t.tv_nsec
    t.tv_sec += ns // 1_000_000_000
    t.tv_nsec = ns % 1_000_000_000
    return t


cdef void queue_init(QueueC* queue) noexcept nogil:
    pthread_mutex_init(&queue.mutex, NULL)
    pthread_cond_init(&queue.changed, NULL)
    queue.first = queue.last = NULL
    queue.n = 0
    queue.closed = False


cdef void queue_free(QueueC* queue) noexcept nogil:
    cdef JobC* following
    while queue.first != NULL:
        following = queue.first.next
        free_job(queue.first)
        queue.first = following
    pthread_cond_destroy(&queue.changed)
    pthread_mutex_destroy(&queue.mutex)


cdef void append(QueueC* queue, JobC* job) noexcept nogil:
    job.next = NULL
    if queue.last == NULL:
        queue.first = job
    else:
        queue.last.next = job
    queue.last = job
    queue.n += 1
