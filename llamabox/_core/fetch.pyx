"""Fetches: prefixes of the second tier on their way back into cells.

A fetch first waits until all its blocks are in RAM, while the worker reads files. Then a unified
memory gets a few blocks in each step, and a partitioned one the sequence as a whole, which the
worker has put together. Whatever goes wrong or takes too long: the rest of the prompt is computed.
"""
from libc.stdint cimport INT64_MAX
from libc.stdlib cimport calloc

from .jobs cimport JOB_JOIN, JOB_READ, JOB_TOUCH, JobC, free_job, new_job
from .llama cimport LlamaC
from .sync cimport now_ns
from .tier cimport free_fetch

# Tokens that the tier gives beyond what sequences hold, at least: less is as soon computed.
cdef int32_t MIN_GAIN = 32
# A parked sequence of so many times fewer tokens than those to be restored is given up for them.
cdef int32_t LITTLE = 16
# Steps that a fetch waits for copies between streams.
cdef int32_t MAX_WAITS = 8
# Nanoseconds without any progress, and in all, after which nobody waits any longer.
cdef int64_t PATIENCE_NS = 1_000_000_000
cdef int64_t LONGEST_NS = 30_000_000_000


cdef class Fetches:
    """The fetches of one pool's requests from its tier."""

    def __cinit__(self, Pool pool not None):
        self.pool = pool
        self.tier = pool.tier
        self.is_copied_whole = self.tier.i_spare < 0

    cdef bint is_ready(self, RequestC* request, int32_t n_match) noexcept nogil:
        """Whether a request may begin: with `request.fetch` if there is one, else without.

        :param n_match: tokens that it can start from anyway.
        """
        cdef FetchC* fetch
        cdef int64_t now
        if request.fetch == NULL and not request.has_fetched and not request.starts_anew:
            self.open(request, n_match)
        fetch = <FetchC*> request.fetch
        if fetch == NULL:
            return True
        now = now_ns()
        if fetch.n_jobs > 0 and (
                now - fetch.t_progress > PATIENCE_NS or now - fetch.t_open > LONGEST_NS):
            self.close(request)
            return True
        if fetch.n_jobs > 0:
            return False
        if fetch.joined == NULL:
            self.leave_missing(fetch)
        if fetch.n_tokens < n_match + MIN_GAIN or fetch.has_failed and self.is_copied_whole or (
                self.is_copied_whole and fetch.joined == NULL and not self.join(fetch)):
            self.close(request)
            return True
        return fetch.n_jobs == 0 and self.may_restore(request)

    cdef bint may_restore(self, RequestC* request) noexcept nogil:
        """Whether no copies between streams are due, which the next forward does; or nobody waits
        for that any longer: then the fetch has ended."""
        cdef FetchC* fetch = <FetchC*> request.fetch
        if self.tier.is_settled() or not self.is_copied_whole:
            return True
        fetch.n_waits += 1
        if fetch.n_waits > MAX_WAITS:
            self.close(request)
            return True
        return False

    cdef void open(self, RequestC* request, int32_t n_match) noexcept nogil:
        """Give a request a fetch, if the tier has more of its prompt than sequences do."""
        cdef BlockC* last
        cdef BlockC* block
        cdef FetchC* fetch
        cdef int32_t n = self.tier.blocks.find(
            request.tokens, request.n_tokens - 1, request.key, &last)
        request.has_fetched = True
        if n < max(n_match + MIN_GAIN, self.tier.min_tokens):
            return
        fetch = <FetchC*> calloc(1, sizeof(FetchC))
        if fetch == NULL:
            return
        fetch.n_blocks = last.begin // self.tier.blocks.n_tokens + 1
        fetch.chain = <BlockC**> calloc(fetch.n_blocks, sizeof(BlockC*))
        if fetch.chain == NULL:
            free_fetch(fetch)
            return
        fetch.n_tokens = n
        fetch.is_first = request.t_admit == 0
        fetch.t_open = fetch.t_progress = now_ns()
        block = last
        for i in range(fetch.n_blocks - 1, -1, -1):
            fetch.chain[i] = block
            block.n_pins += 1
            block = block.parent
        self.tier.blocks.touch(last)
        if last.file > 0:
            self.tier.give_file_job(JOB_TOUCH, last.file)
        request.fetch = fetch
        for i in range(fetch.n_blocks):
            if fetch.chain[i].data == NULL and not self.read(fetch, fetch.chain[i]):
                self.shorten(fetch, <int32_t> i)
                break

    cdef void leave_missing(self, FetchC* fetch) noexcept nogil:
        """Do without what could not be read."""
        cdef int32_t i
        for i in range(fetch.n_blocks):
            if fetch.chain[i].data == NULL:
                self.shorten(fetch, i)
                return

    cdef bint read(self, FetchC* fetch, BlockC* block) noexcept nogil:
        """Have a block read into RAM; False if there is no room for it."""
        cdef JobC* job
        if not self.tier.blocks.reserve(block.n_bytes):
            return False
        job = new_job(JOB_READ, 0)
        if job != NULL:
            job.block = block
            job.file = block.file
            job.n_reserved = block.n_bytes
            job.fetch = fetch
            block.n_pins += 1
            if self.tier.jobs.give(job):
                block.is_pending = True
                fetch.n_jobs += 1
                return True
            block.n_pins -= 1
        self.tier.blocks.unreserve(block.n_bytes)
        free_job(job)
        return False

    cdef void shorten(self, FetchC* fetch, int32_t n_blocks) noexcept nogil:
        """Do without the blocks from one on."""
        cdef int32_t i
        for i in range(n_blocks, fetch.n_blocks):
            fetch.chain[i].n_pins -= 1
        fetch.n_blocks = n_blocks
        fetch.n_tokens = min(fetch.n_tokens, n_blocks * self.tier.blocks.n_tokens)

    cdef bint join(self, FetchC* fetch) noexcept nogil:
        """Have the blocks put together as one saved sequence; False if nobody can."""
        cdef int32_t i
        cdef JobC* job
        job = new_job(JOB_JOIN, fetch.n_blocks)
        if job == NULL:
            return False
        for i in range(fetch.n_blocks):
            job.parts[i].block = fetch.chain[i]
            job.parts[i].data = fetch.chain[i].data
            job.parts[i].n_bytes = fetch.chain[i].n_bytes
            job.parts[i].p0 = fetch.chain[i].begin
            job.parts[i].p1 = min(fetch.chain[i].begin + fetch.chain[i].n_tokens, fetch.n_tokens)
        job.fetch = fetch
        self.tier.take_buffer(job)
        if not self.tier.jobs.give(job):
            self.tier.give_buffer_back(job)
            free_job(job)
            return False
        # The worker reads their cells even if the fetch has ended by then.
        for i in range(job.n_parts):
            job.parts[i].block.n_pins += 1
        fetch.n_jobs += 1
        return True

    cdef int32_t restore(self, RequestC* request) noexcept nogil:
        """A live sequence of a partitioned memory with what was joined, and the end of the fetch,
        which comes a step later if somebody decodes: who would wait for the restoring and for a row
        over all these cells at once; -1 if llama.cpp does not take it. Not while copies between
        streams are due.

        It is a neighbour of the other live ones if little is parked there, as llama.cpp computes
        their rows at once."""
        cdef FetchC* fetch = <FetchC*> request.fetch
        cdef int32_t n = fetch.n_tokens
        cdef int32_t i = self.pool.tree.first_idle()
        cdef bint done
        if self.pool.length(i) > n // LITTLE:
            i = self.pool.tree.vacant()
        if i < 0:
            i = self.pool.tree.oldest_parked()
        self.pool.retire(i)
        done = self.pool.context.restore(i, fetch.joined.data, fetch.joined.n_bytes, False)
        if done and self.pool.context.trim(i, n) != n:
            done = False
        if done:
            self.pool.tree.start(i, request.key)
            self.pool.extend(i, request.tokens, n)
            self.count(fetch, n)
            fetch.rests = self.tier.whole_ns >= 0
        if not fetch.rests:
            self.close(request)
        return i if done else -1

    cdef bint load(self, Slots slots) noexcept nogil:
        """Give requests of a unified memory their next blocks; whether any waits for more."""
        cdef int32_t i
        cdef bint is_waiting = False
        cdef int64_t t_end = INT64_MAX
        cdef SlotC* slot
        cdef FetchC* fetch
        if self.tier.whole_ns >= 0:
            t_end = now_ns() + self.tier.slices_ns
        for i in range(slots.n_slots):
            slot = &slots.slots[i]
            if slot.request == NULL or slot.request.fetch == NULL:
                continue
            fetch = <FetchC*> slot.request.fetch
            if slot.i_sequence >= 0 and not fetch.rests:
                self.load_slices(slot, t_end)
            fetch.rests = False
            is_waiting = is_waiting or slot.request.fetch != NULL
        return is_waiting

    cdef void load_slices(self, SlotC* slot, int64_t t_end) noexcept nogil:
        cdef RequestC* request = slot.request
        cdef FetchC* fetch = <FetchC*> request.fetch
        cdef int32_t n, n_past = request.n_past
        while request.n_past < fetch.n_tokens:
            if not self.load_slice(slot, fetch):
                fetch.n_tokens = request.n_past
            elif now_ns() >= t_end:
                break
        n = request.n_past - n_past
        if n > 0:
            self.count(fetch, n)
            if fetch.is_first:
                request.n_cached += n
                self.counters.n_cached_tokens += n
        if request.n_past >= fetch.n_tokens:
            self.close(request)

    cdef bint load_slice(self, SlotC* slot, FetchC* fetch) noexcept nogil:
        """Give a sequence the next block's cells; False if there is no room, or llama.cpp does not
        take them."""
        cdef LlamaC* llama = &self.pool.context.library.c
        cdef void* memory = self.pool.context.memory
        cdef RequestC* request = slot.request
        cdef int32_t p0 = request.n_past, i_spare = self.tier.i_spare, p1
        cdef BlockC* block = fetch.chain[p0 // self.tier.blocks.n_tokens]
        self.pool.make_room(block.n_tokens)
        if self.pool.n_free() < block.n_tokens:
            return False
        if not self.pool.context.restore(i_spare, block.data, block.n_bytes, False):
            return False
        p1 = min(block.begin + block.n_tokens, fetch.n_tokens)
        llama.memory_seq_cp(memory, i_spare, slot.i_sequence, p0, p1)
        llama.memory_seq_rm(memory, i_spare, -1, -1)
        if llama.memory_seq_pos_max(memory, slot.i_sequence) != p1 - 1:
            llama.memory_seq_rm(memory, slot.i_sequence, p0, -1)
            return False
        self.pool.extend(slot.i_sequence, request.tokens + p0, p1 - p0)
        request.n_past = p1
        return True

    cdef void count(self, FetchC* fetch, int32_t n) noexcept nogil:
        """Count what has come into cells."""
        self.tier.stats.n_loaded_tokens += n
        self.tier.stats.n_hits += not fetch.has_given
        fetch.has_given = True

    cdef void close(self, RequestC* request) noexcept nogil:
        """End a request's fetch, whatever has come of it."""
        cdef FetchC* fetch = <FetchC*> request.fetch
        if fetch == NULL:
            return
        request.fetch = NULL
        self.shorten(fetch, 0)
        if fetch.joined != NULL:
            self.tier.give_buffer_back(fetch.joined)
            free_job(fetch.joined)
            fetch.joined = NULL
        fetch.is_abandoned = True
        if fetch.n_jobs == 0:
            free_fetch(fetch)
