"""The books of the second tier: which blocks of which prefixes are in RAM or in files.

A block is a run of at most `n_tokens` tokens of a prefix, from a multiple of that on, with their
cells. Blocks form a tree as the prefixes do: a block's parent holds the tokens in front of it, so a
prefix that two sequences have in common is there once. Only full blocks have children.

The step thread alone works with the books. Nothing here calls llama.cpp or touches a file.
"""
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from .prefix cimport common_prefix

# Siblings that a search looks at; the ones used last come first.
cdef int32_t N_SIBLINGS = 4096


cdef class Blocks:
    """No blocks, and RAM of `limit` bytes for their cells.

    :param n_tokens: of a full block.
    """

    def __cinit__(self, int32_t n_tokens, size_t limit):
        memset(&self.root, 0, sizeof(BlockC))
        self.n_tokens = n_tokens
        self.limit = limit

    def __dealloc__(self):
        free_below(&self.root)
        free(self.by_file)

    cdef int32_t find(self, const llama_token* tokens, int32_t n, int64_t key,
                      BlockC** last) noexcept nogil:
        """Length of the longest prefix of `tokens` whose blocks are all there.

        `last` becomes the block that it ends in, perhaps before that block's end.
        """
        cdef BlockC* node = &self.root
        cdef BlockC* child
        cdef BlockC* best
        cdef int32_t n_common, n_best, n_seen, n_found = 0
        last[0] = NULL
        while n_found < n:
            best = NULL
            n_best = n_seen = 0
            child = node.child
            while child != NULL and n_best < self.n_tokens and n_seen < N_SIBLINGS:
                if child.key == key and is_held(child):
                    n_common = common_prefix(
                        child.tokens, tokens + n_found, min(child.n_tokens, n - n_found))
                    if n_common > n_best:
                        n_best, best = n_common, child
                n_seen += 1
                child = child.next
            if best == NULL:
                break
            n_found += n_best
            last[0] = node = best
            if n_best < self.n_tokens:
                break
        return n_found

    cdef BlockC* missing(self, const llama_token* tokens, int32_t n, int64_t key,
                         int32_t* n_held) noexcept nogil:
        """The block behind which the first tokens are missing that no block holds, or is about to.

        `n_held` becomes its end, or `n` if nothing is missing.
        """
        cdef BlockC* node = &self.root
        cdef BlockC* child
        cdef int32_t n_wanted, n_done = 0
        while n_done < n:
            n_wanted = min(self.n_tokens, n - n_done)
            child = node.child
            while child != NULL and not (
                    child.key == key and child.n_tokens >= n_wanted
                    and (is_held(child) or child.is_pending)
                    and common_prefix(child.tokens, tokens + n_done, n_wanted) == n_wanted):
                child = child.next
            if child == NULL:
                break
            n_done += n_wanted
            node = child
        n_held[0] = n_done
        return node

    cdef BlockC* child_of(self, BlockC* parent, const llama_token* tokens, int32_t n,
                          int64_t key) noexcept nogil:
        """The child that is exactly these tokens, or NULL."""
        cdef BlockC* child = parent.child
        while child != NULL and not (
                child.key == key and child.n_tokens == n
                and common_prefix(child.tokens, tokens, n) == n):
            child = child.next
        return child

    cdef BlockC* add(self, BlockC* parent, const llama_token* tokens, int32_t n,
                     int64_t key) noexcept nogil:
        """The child that is these tokens, new if there is none; NULL if memory is short.

        :param parent: NULL for the beginning.
        """
        cdef BlockC* block
        if parent == NULL:
            parent = &self.root
        block = self.child_of(parent, tokens, n, key)
        if block != NULL:
            return block
        block = <BlockC*> malloc(sizeof(BlockC) + n * sizeof(llama_token))
        if block == NULL:
            return NULL
        memset(block, 0, sizeof(BlockC))
        block.tokens = <llama_token*> (block + 1)
        memcpy(block.tokens, tokens, n * sizeof(llama_token))
        block.n_tokens = n
        block.begin = parent.begin + parent.n_tokens
        block.key = key
        block.parent = parent
        block.next = parent.child
        parent.child = block
        return block

    cdef BlockC* outdated(self, const BlockC* block) noexcept nogil:
        """A sibling that is nothing but the beginning of a block, and not needed now; or NULL."""
        cdef BlockC* other = block.parent.child
        while other != NULL and not (
                other.key == block.key and other.n_tokens < block.n_tokens
                and other.n_pins == 0 and not other.is_pending
                and common_prefix(other.tokens, block.tokens, other.n_tokens) == other.n_tokens):
            other = other.next
        return other

    cdef void hold(self, BlockC* block, uint8_t* data, size_t n_bytes) noexcept nogil:
        """Give a block its cells in RAM, which it owns from now on; what it had stays."""
        if block.data != NULL:
            free(data)
            return
        block.data = data
        block.n_bytes = n_bytes
        self.n_bytes += n_bytes
        self.n_in_ram += 1
        self.put_first(block)

    cdef void touch(self, BlockC* last) noexcept nogil:
        """Count a block and those in front of it as used last, a parent after its child: then a
        child is given up first. In search they come first."""
        cdef BlockC** link
        while last != NULL and last.parent != NULL:
            if last.data != NULL:
                self.take_out(last)
                self.put_first(last)
            link = &last.parent.child
            while link[0] != last:
                link = &link[0].next
            link[0] = last.next
            last.next = last.parent.child
            last.parent.child = last
            last = last.parent

    cdef bint make_room(self, size_t n_bytes) noexcept nogil:
        """Give up what was used longest ago until so many bytes are free; False if too much of it
        is needed now."""
        cdef BlockC* block = self.oldest
        cdef BlockC* newer
        if n_bytes > self.limit:
            return False
        while self.n_bytes + self.n_reserved + n_bytes > self.limit and block != NULL:
            newer = block.newer
            if block.n_pins == 0:
                self.forget_data(block)
                self.prune(block)
            block = newer
        return self.n_bytes + self.n_reserved + n_bytes <= self.limit

    cdef bint reserve(self, size_t n_bytes) noexcept nogil:
        """Keep room free for what a job is about to bring; False if there is none."""
        if not self.make_room(n_bytes):
            return False
        self.n_reserved += n_bytes
        return True

    cdef void unreserve(self, size_t n_bytes) noexcept nogil:
        self.n_reserved -= n_bytes

    cdef void forget_data(self, BlockC* block) noexcept nogil:
        if block.data != NULL:
            self.take_out(block)
            free(block.data)
            block.data = NULL
            self.n_bytes -= block.n_bytes
            self.n_in_ram -= 1

    cdef int set_file(self, BlockC* block, int64_t file) noexcept nogil:
        """Note which file holds a block; -1 if memory is short."""
        cdef int64_t n
        cdef void* grown
        if file >= self.n_by_file:
            n = max(1024, 2 * file)
            grown = realloc(self.by_file, n * sizeof(BlockC*))
            if grown == NULL:
                return -1
            self.by_file = <BlockC**> grown
            memset(self.by_file + self.n_by_file, 0, (n - self.n_by_file) * sizeof(BlockC*))
            self.n_by_file = n
        if block.file == file:
            return 0
        if block.file > 0:
            self.by_file[block.file] = NULL
        else:
            self.n_in_files += 1
            self.n_file_bytes += block.n_bytes
        block.file = file
        self.by_file[file] = block
        return 0

    cdef void lose_file(self, int64_t file) noexcept nogil:
        """Note that a file is gone."""
        cdef BlockC* block = self.of_file(file)
        if block != NULL:
            self.by_file[file] = NULL
            block.file = 0
            self.n_in_files -= 1
            self.n_file_bytes -= block.n_bytes
            self.prune(block)

    cdef BlockC* of_file(self, int64_t file) noexcept nogil:
        """The block that a file holds, or NULL."""
        return self.by_file[file] if 0 < file < self.n_by_file else NULL

    cdef void prune(self, BlockC* block) noexcept nogil:
        """Remove a block and its parents as far as there is nothing of them and behind them."""
        cdef BlockC* parent
        cdef BlockC** link
        while (block.parent != NULL and block.child == NULL and block.n_pins == 0
               and not block.is_pending and not is_held(block)):
            parent = block.parent
            link = &parent.child
            while link[0] != block:
                link = &link[0].next
            link[0] = block.next
            free(block)
            block = parent

    cdef void put_first(self, BlockC* block) noexcept nogil:
        block.newer = NULL
        block.older = self.newest
        if self.newest != NULL:
            self.newest.newer = block
        else:
            self.oldest = block
        self.newest = block

    cdef void take_out(self, BlockC* block) noexcept nogil:
        if block.newer != NULL:
            block.newer.older = block.older
        else:
            self.newest = block.older
        if block.older != NULL:
            block.older.newer = block.newer
        else:
            self.oldest = block.newer


cdef bint is_held(const BlockC* block) noexcept nogil:
    """Whether its cells are somewhere."""
    return block.data != NULL or block.file != 0


cdef void free_below(BlockC* node) noexcept nogil:
    cdef BlockC* child
    while node.child != NULL:
        child = node.child
        node.child = child.next
        free_below(child)
        free(child.data)
        free(child)
