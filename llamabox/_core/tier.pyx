"""The second tier: what parked sequences hold, kept in RAM and in files, in blocks of tokens.

Parked sequences are saved before they are evicted, the one parked longest ago first, in slices that
take a share of a step. In a unified memory a slice is a block: a spare sequence shares its range of
positions for as long as llama.cpp copies it. In a partitioned one a sequence is its stream, and is
copied as a whole; the worker takes the copy apart. Whatever does not touch cells is the worker's.
"""
from libc.stdint cimport INT32_MAX, INT64_MAX
from libc.stdlib cimport calloc, free, malloc

from .blocks cimport is_held
from .context cimport MEMORY_CELLS
from .jobs cimport (
    JOB_DELETE,
    JOB_FOUND,
    JOB_GONE,
    JOB_JOIN,
    JOB_READ,
    JOB_SPLIT,
    JOB_WRITE,
    PartC,
    free_job,
    new_job,
)
from .llama cimport LlamaC
from .prefix cimport HOLDER_PARKED, SequenceC
from .state cimport WantedC, merge
from .sync cimport now_ns

from libc.string cimport memcpy

# Bytes of a block beside its share of a whole sequence, at most.
cdef size_t SLACK = 4096
# Shares of a decode step: of slices; of a whole copy, which is one of the longest steps then.
cdef double SLICES = 0.25
cdef double WHOLE = 0.8
# Nanoseconds of slices, while nobody decodes and while nothing is known.
cdef int64_t IDLE_NS = 5_000_000
cdef int64_t UNKNOWN_NS = 250_000
cdef double SMOOTHING = 0.2
# Nanoseconds that saving may take at the end.
cdef int64_t LAST_NS = 1_000_000_000
# Jobs that are looked at in a step in which somebody decodes.
cdef int32_t N_COLLECTED = 256


NO_TIER = dict.fromkeys((
    "n_tier_blocks", "n_tier_bytes", "n_tier_disk_blocks", "n_tier_disk_bytes", "n_tier_hits",
    "n_tier_saved_tokens", "n_tier_loaded_tokens"), 0)
"""What `Tier.gauges` would say without one."""


cdef class Tier:
    """The second tier of one context's prefixes.

    Only for a memory that can be cut anywhere: of others, a part of a sequence is no use.

    :param jobs: what leads to the worker.
    :param limit: bytes of RAM.
    :param n_block: tokens of a block.
    :param min_tokens: of the shortest prefix that is saved.
    :raises ValueError: the context's memory cannot be cut anywhere, or has no sequence to spare.
    """

    def __cinit__(self, Context context not None, Jobs jobs not None, size_t limit, *,
                  int32_t n_block, int32_t min_tokens):
        if context.kind != MEMORY_CELLS:
            raise ValueError("the memory holds states, or windows, that cannot be cut")
        if n_block > context.n_window:
            raise ValueError("the sliding window is shorter than a block")
        if not context.is_partitioned and context.n_seq_max < 2:
            raise ValueError("there is no sequence to spare")
        self.context = context
        self.jobs = jobs
        self.blocks = Blocks(n_block, limit)
        self.min_tokens = min_tokens
        self.i_spare = -1 if context.is_partitioned else context.n_seq_max - 1
        self.n_sequences = context.n_seq_max - (0 if context.is_partitioned else 1)
        self.saved_at = <int64_t*> calloc(context.n_seq_max, sizeof(int64_t))
        self.tokens = <llama_token*> malloc(context.n_ctx * sizeof(llama_token))
        if self.saved_at == NULL or self.tokens == NULL:
            raise MemoryError
        self.block_ns = 50_000
        self.byte_ns = 0.2
        self.set_pace(False, 0)

    def __dealloc__(self):
        cdef JobC* following
        while self.backlog != NULL:
            following = self.backlog.next
            free_job(self.backlog)
            self.backlog = following
        free(self.saved_at)
        free(self.tokens)
        free(self.buffer)

    cdef void set_pace(self, bint is_busy, double decode_ns) noexcept nogil:
        """Say what saving may take of the steps that follow.

        :param is_busy: somebody decodes.
        :param decode_ns: what a step takes that only decodes; 0 if that is not known.
        """
        if not is_busy:
            self.slices_ns, self.whole_ns = IDLE_NS, -1
        elif decode_ns == 0:
            self.slices_ns = self.whole_ns = UNKNOWN_NS
        else:
            self.slices_ns = <int64_t> (SLICES * decode_ns)
            self.whole_ns = <int64_t> (WHOLE * decode_ns)

    cdef bint has_work(self, PrefixTree tree) noexcept nogil:
        """Whether there is something to do without any request."""
        return self.backlog != NULL or (
            not self.is_stuck and self.is_settled() and self.next_unsaved(tree) >= 0)

    cdef bint is_settled(self) noexcept nogil:
        """Whether the cells are what the books say; else they are after the next forward."""
        return not self.context.is_shifting and not self.context.is_copying

    cdef int32_t next_unsaved(self, PrefixTree tree) noexcept nogil:
        """The sequence that was parked longest ago of those that are not saved, or -1."""
        cdef int32_t i, found = -1
        cdef SequenceC* sequence
        for i in range(tree.n_sequences):
            sequence = &tree.sequences[i]
            if sequence.holder == HOLDER_PARKED and sequence.parked_at != self.saved_at[i] and (
                    found < 0 or sequence.parked_at < tree.sequences[found].parked_at):
                found = i
        return found

    cdef void save_behind(self, PrefixTree tree) noexcept nogil:
        """Save parked sequences for as long as a step may take for it."""
        cdef int64_t t_end = now_ns() + self.slices_ns
        cdef int32_t i
        while not self.is_stuck:
            i = self.next_unsaved(tree)
            if i < 0 or self.save(tree, i, t_end) != SAVED:
                return

    cdef void rescue(self, PrefixTree tree, int32_t i_sequence) noexcept nogil:
        """Save what can be saved in time of a parked sequence that is about to lose cells."""
        if tree.sequences[i_sequence].parked_at != self.saved_at[i_sequence]:
            self.save(tree, i_sequence,
                      now_ns() + 2 * self.slices_ns if self.whole_ns >= 0 else INT64_MAX)

    cdef int save(self, PrefixTree tree, int32_t i_sequence, int64_t t_end) noexcept nogil:
        """Save a parked sequence, until `t_end`; returns a `SavedC`."""
        cdef SequenceC* sequence = &tree.sequences[i_sequence]
        cdef int32_t n = sequence.n_tokens
        cdef int code = SAVED
        if not self.is_settled():
            return SAVED_PART
        if n >= max(self.min_tokens, 1) and n <= self.context.n_ctx:
            tree.copy_tokens(i_sequence, self.tokens)
            if self.i_spare < 0:
                code = self.save_whole(i_sequence, n, sequence.key)
            else:
                code = self.save_slices(i_sequence, n, sequence.key, t_end)
        if code == SAVED:
            self.saved_at[i_sequence] = sequence.parked_at
        self.is_stuck = code == SAVED_LATER
        return code

    cdef int save_slices(self, int32_t i_sequence, int32_t n, int64_t key,
                         int64_t t_end) noexcept nogil:
        """Save the missing blocks of a sequence, one at least."""
        cdef int32_t n_new, n_held
        cdef BlockC* block = self.blocks.missing(self.tokens, n, key, &n_held)
        cdef int64_t t_start = now_ns()
        cdef int code = SAVED
        while code == SAVED:
            n_new = min(self.blocks.n_tokens, n - n_held)
            if n_new == 0:
                break
            block = self.blocks.add(block, self.tokens + n_held, n_new, key)
            if block == NULL:
                break
            if not is_held(block) and not block.is_pending:
                code = self.save_slice(i_sequence, block)
                if code == SAVED_NOT:
                    return SAVED
                self.block_ns += SMOOTHING * (now_ns() - t_start - self.block_ns)
                t_start = now_ns()
                if code == SAVED and t_start + <int64_t> self.block_ns > t_end:
                    code = SAVED_PART
            n_held += n_new
        return code

    cdef int save_slice(self, int32_t i_sequence, BlockC* block) noexcept nogil:
        """Save one block; it is held afterwards, or gone if it is not needed otherwise."""
        cdef size_t n_bytes = 0
        cdef uint8_t* data = NULL
        cdef bint is_full
        pin_chain(block, 1)
        data = self.copy_slice(i_sequence, block.begin, block.begin + block.n_tokens, &n_bytes)
        is_full = data != NULL and not self.blocks.make_room(n_bytes)
        pin_chain(block, -1)
        if data == NULL or is_full:
            free(data)
            self.blocks.prune(block)
            return SAVED_LATER if is_full and self.is_room_coming() else SAVED_NOT
        self.blocks.hold(block, data, n_bytes)
        self.settle_block(block)
        return SAVED

    cdef uint8_t* copy_slice(self, int32_t i_sequence, int32_t p0, int32_t p1,
                             size_t* n_bytes) noexcept nogil:
        """The state of a range of a sequence's positions, owned by the caller; NULL if that is not
        to be had, or not all of it is there."""
        cdef LlamaC* llama = &self.context.library.c
        cdef void* memory = self.context.memory
        cdef WantedC wanted
        cdef uint8_t* data
        llama.memory_seq_cp(memory, i_sequence, self.i_spare, p0, p1)
        data = self.context.save(self.i_spare, self.blocks.limit, n_bytes, False)
        llama.memory_seq_rm(memory, self.i_spare, -1, -1)
        wanted = WantedC(data, n_bytes[0], p0, p1)
        if data != NULL and merge(&wanted, 1, NULL) != n_bytes[0]:
            free(data)
            return NULL
        return data

    cdef int save_whole(self, int32_t i_sequence, int32_t n, int64_t key) noexcept nogil:
        """Copy a sequence and have its missing blocks cut out of the copy."""
        cdef int32_t n_held
        cdef size_t n_bytes
        cdef JobC* job
        cdef BlockC* parent = self.blocks.missing(self.tokens, n, key, &n_held)
        if n_held == n:
            return SAVED
        n_bytes = self.context.state_bytes(i_sequence, False)
        if 0 <= self.whole_ns < <int64_t> (n_bytes * self.byte_ns):
            return SAVED_PART
        job = self.whole_job(parent, n_held, n, key, n_bytes)
        if job == NULL:
            return SAVED_LATER if self.is_room_coming() else SAVED
        if not self.copy_whole(i_sequence, job, n_bytes) or not self.jobs.give(job):
            job.is_done = False
            self.end_split(job)
            free_job(job)
        return SAVED

    cdef JobC* whole_job(self, BlockC* parent, int32_t n_held, int32_t n, int64_t key,
                         size_t n_bytes) noexcept nogil:
        """The job that cuts as many of a sequence's missing blocks as there is room for; NULL if
        there is none."""
        cdef int32_t n_block = self.blocks.n_tokens
        cdef int32_t n_parts = (n - n_held + n_block - 1) // n_block
        cdef size_t n_reserved = 0
        cdef PartC* part
        cdef JobC* job = NULL
        pin_chain(parent, 1)
        while n_parts > 0 and n_reserved == 0:
            n_reserved = n_parts * (n_bytes // n * n_block + SLACK)
            if not self.blocks.reserve(n_reserved):
                n_reserved = 0
                n_parts //= 2
        if n_parts > 0:
            job = new_job(JOB_SPLIT, n_parts)
        pin_chain(parent, -1)
        if job == NULL:
            self.blocks.unreserve(n_reserved)
            return NULL
        job.n_reserved = n_reserved
        job.n_parts = 0
        while job.n_parts < n_parts and parent != NULL:
            part = &job.parts[job.n_parts]
            part.p0, part.p1 = n_held, min(n_held + n_block, n)
            part.block = parent = self.blocks.add(
                parent, self.tokens + n_held, part.p1 - n_held, key)
            if parent != NULL:
                parent.n_pins += 1
                parent.is_pending = True
                job.n_parts += 1
            n_held += n_block
        return job

    cdef bint copy_whole(self, int32_t i_sequence, JobC* job, size_t n_bytes) noexcept nogil:
        """Copy a sequence into a job's buffer; False if that fails."""
        cdef int64_t t_start = now_ns()
        self.take_buffer(job)
        if job.capacity < n_bytes:
            free(job.data)
            job.data = <uint8_t*> malloc(n_bytes)
            job.capacity = n_bytes if job.data != NULL else 0
        if job.data == NULL or self.context.library.c.state_seq_get_data_ext(
                self.context.ctx, job.data, n_bytes, i_sequence, 0) != n_bytes:
            return False
        job.n_bytes = n_bytes
        self.byte_ns += SMOOTHING * ((now_ns() - t_start) / <double> n_bytes - self.byte_ns)
        return True

    cdef bint is_room_coming(self) noexcept nogil:
        """Whether something keeps RAM that is free once the worker is done with it."""
        return self.n_writing > 0 or self.blocks.n_reserved > 0

    cdef void settle_block(self, BlockC* block) noexcept nogil:
        """What follows once a new block has its cells: into a file with it, and away with what is
        nothing but its beginning."""
        cdef JobC* job
        cdef BlockC* other = self.blocks.outdated(block)
        self.stats.n_saved_tokens += block.n_tokens
        while other != NULL:
            self.stats.n_saved_tokens -= other.n_tokens
            self.blocks.forget_data(other)
            if other.file > 0:
                self.give_file_job(JOB_DELETE, other.file)
                self.blocks.lose_file(other.file)
            else:
                self.blocks.prune(other)
            other = self.blocks.outdated(block)
        if not self.jobs.writes or block.file > 0:
            return
        job = new_job(JOB_WRITE, 0)
        if job == NULL:
            return
        job.block = block
        if self.jobs.give(job):
            block.n_pins += 1
            self.n_writing += 1
        else:
            free_job(job)

    cdef bint collect(self) noexcept nogil:
        """Take what the worker has done, or a part if somebody decodes; whether there was any."""
        cdef int32_t n_left = N_COLLECTED if self.whole_ns >= 0 else INT32_MAX
        cdef JobC* job
        if self.backlog == NULL:
            self.backlog = self.jobs.collect()
        if self.backlog == NULL:
            return False
        while self.backlog != NULL and n_left > 0:
            job = self.backlog
            self.backlog = job.next
            self.take_done(job)
            n_left -= 1
        self.is_stuck = False
        return True

    cdef void take_done(self, JobC* job) noexcept nogil:
        if job.kind == JOB_SPLIT:
            self.end_split(job)
        elif job.kind == JOB_WRITE:
            self.n_writing -= 1
            job.block.n_pins -= 1
            if job.is_done:
                self.blocks.set_file(job.block, job.file)
            self.blocks.prune(job.block)
        elif job.kind == JOB_READ:
            self.blocks.unreserve(job.n_reserved)
            job.block.is_pending = False
            if job.is_done:
                self.blocks.hold(job.block, job.data, job.n_bytes)
                job.data = NULL
            job.block.n_pins -= 1
            self.end_fetch_job(job)
            self.blocks.prune(job.block)
        elif job.kind == JOB_JOIN:
            self.end_fetch_job(job)
            return
        elif job.kind == JOB_FOUND:
            self.adopt(job)
        elif job.kind == JOB_GONE:
            self.blocks.lose_file(job.file)
        free_job(job)

    cdef void end_split(self, JobC* job) noexcept nogil:
        """Give the blocks the cells that were cut out for them."""
        cdef int32_t i
        cdef PartC* part
        cdef BlockC* block
        self.blocks.unreserve(job.n_reserved)
        for i in range(job.n_parts - 1, -1, -1):
            part = &job.parts[i]
            block = part.block
            block.is_pending = False
            if job.is_done:
                self.blocks.hold(block, part.data, part.n_bytes)
                part.data = NULL
        for i in range(job.n_parts):
            if job.is_done:
                self.settle_block(job.parts[i].block)
        for i in range(job.n_parts - 1, -1, -1):
            job.parts[i].block.n_pins -= 1
            self.blocks.prune(job.parts[i].block)
        self.blocks.make_room(0)
        self.give_buffer_back(job)

    cdef void end_fetch_job(self, JobC* job) noexcept nogil:
        """Tell a fetch that one of its jobs is done; what is joined is its own from now on."""
        cdef FetchC* fetch = <FetchC*> job.fetch
        cdef int32_t i
        fetch.n_jobs -= 1
        fetch.t_progress = now_ns()
        if job.kind == JOB_JOIN:
            for i in range(job.n_parts):
                job.parts[i].block.n_pins -= 1
            fetch.has_failed = not job.is_done
            if job.is_done and not fetch.is_abandoned:
                fetch.joined = job
            else:
                self.give_buffer_back(job)
                free_job(job)
        if fetch.is_abandoned and fetch.n_jobs == 0:
            free_fetch(fetch)

    cdef void adopt(self, JobC* job) noexcept nogil:
        """Enter a block that the worker has found in a file."""
        cdef BlockC* parent = &self.blocks.root
        cdef BlockC* block
        if job.parent > 0:
            parent = self.blocks.of_file(job.parent)
        if parent == NULL or parent.begin + parent.n_tokens != job.begin or (
                job.n_tokens > self.blocks.n_tokens
                or job.begin % self.blocks.n_tokens != 0):
            return
        block = self.blocks.add(parent, job.tokens, job.n_tokens, job.key)
        if block == NULL:
            return
        if not is_held(block) and not block.is_pending:
            block.n_bytes = job.n_bytes
            memcpy(block.digest, job.digest, sizeof(block.digest))
        if block.n_bytes == job.n_bytes:
            self.blocks.set_file(block, job.file)
        self.blocks.prune(block)

    cdef void take_buffer(self, JobC* job) noexcept nogil:
        """Give a job the buffer that is kept, if there is one: its pages are in memory already."""
        job.data, job.capacity = self.buffer, self.capacity
        self.buffer = NULL
        self.capacity = 0

    cdef void give_buffer_back(self, JobC* job) noexcept nogil:
        if job.capacity > self.capacity:
            free(self.buffer)
            self.buffer, self.capacity = job.data, job.capacity
            job.data = NULL
            job.capacity = 0

    cdef bint give_file_job(self, int kind, int64_t file) noexcept nogil:
        """Have a file touched or deleted."""
        cdef JobC* job = new_job(kind, 0)
        if job == NULL:
            return False
        job.file = file
        if self.jobs.give(job):
            return True
        free_job(job)
        return False

    def close(self):
        """Free what the worker has given back; once it has ended, and the step thread too."""
        while self.collect():
            pass

    cdef void save_rest(self, PrefixTree tree) noexcept nogil:
        """Save what is parked and not saved, before the cells are gone; for a short time."""
        cdef int64_t t_end = now_ns() + LAST_NS
        self.set_pace(False, 0)
        while self.is_settled() and now_ns() < t_end:
            self.save_behind(tree)
            if self.next_unsaved(tree) < 0 and self.blocks.n_reserved == 0:
                break
            self.jobs.await_done(min(t_end - now_ns(), IDLE_NS))
            self.collect()

    def is_done(self, PrefixTree tree not None):
        """Whether all that is parked is saved, and the worker has nothing to do for it; of an idle
        scheduler."""
        return (self.next_unsaved(tree) < 0 and self.n_writing == 0 and self.backlog == NULL
                and self.blocks.n_reserved == 0)

    def gauges(self):
        """What the tier holds and has done, as a dict."""
        return {
            "n_tier_blocks": self.blocks.n_in_ram,
            "n_tier_bytes": self.blocks.n_bytes,
            "n_tier_disk_blocks": self.blocks.n_in_files,
            "n_tier_disk_bytes": self.blocks.n_file_bytes,
            "n_tier_hits": self.stats.n_hits,
            "n_tier_saved_tokens": self.stats.n_saved_tokens,
            "n_tier_loaded_tokens": self.stats.n_loaded_tokens,
        }


cdef void pin_chain(BlockC* block, int32_t n) noexcept nogil:
    """Pin a block and those in front of it; with an `n` of -1, unpin them."""
    while block != NULL and block.parent != NULL:
        block.n_pins += n
        block = block.parent


cdef void free_fetch(FetchC* fetch) noexcept nogil:
    free(fetch.chain)
    free(fetch)
