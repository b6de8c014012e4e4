"""The radix tree over token ids: which sequence holds which prefix, in which cells.

A node stands for a run of cells, its edge for the tokens that they hold. A sequence ends at the end
of a node and holds all cells on the way there; where it shares them, it was copied from another
sequence, which costs llama.cpp no cells. Two sequences that computed the same tokens apart have
cells of their own, and so nodes of their own: siblings may begin with the same token.

A token may be any int32: what stands for media is negative. A sequence has a key beside its tokens,
for whatever else their cells depend on, such as adapters; those of different keys never match.

The tree only keeps the books; the scheduler moves the cells. Nothing here grows with the length
of a sequence but `find`, with the length of the match, and splitting and joining nodes.
"""
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove


cdef class PrefixTree:
    """`n_sequences` sequences, all empty."""

    def __cinit__(self, int32_t n_sequences):
        cdef int32_t i
        self.n_sequences = n_sequences
        self.root = <NodeC*> calloc(1, sizeof(NodeC))
        self.sequences = <SequenceC*> calloc(n_sequences, sizeof(SequenceC))
        if self.root == NULL or self.sequences == NULL:
            raise MemoryError
        for i in range(n_sequences):
            self.sequences[i].tail = self.root

    def __dealloc__(self):
        free_below(self.root)
        free(self.root)
        free(self.sequences)

    cdef int32_t find(self, const llama_token* tokens, int32_t n, int64_t key, int32_t* n_match,
                      int32_t* i_whole) noexcept nogil:
        """A sequence that holds the longest prefix of `tokens` that any of the key holds, or -1.

        `i_whole` becomes the longest parked sequence that is nothing but such a prefix, or -1.
        """
        cdef NodeC* deepest = self.root
        n_match[0] = descend(self.root, tokens, n, key, &deepest)
        i_whole[0] = self.whole_parked(deepest, n_match[0])
        if n_match[0] == 0:
            return -1
        while deepest.ending == NULL:
            deepest = deepest.child
        return <int32_t> (deepest.ending - self.sequences)

    cdef int32_t whole_parked(self, NodeC* node, int32_t n_match) noexcept nogil:
        """A parked sequence of at most `n_match` tokens that ends at a node or above it, or -1."""
        cdef SequenceC* sequence
        while node != self.root:
            sequence = node.ending
            while sequence != NULL:
                if sequence.holder == HOLDER_PARKED and sequence.n_tokens <= n_match:
                    return <int32_t> (sequence - self.sequences)
                sequence = sequence.next
            node = node.parent
        return -1

    cdef int32_t longest_whole(self, const llama_token* tokens, int32_t n,
                               int64_t key) noexcept nogil:
        """The longest sequence, live or parked, that is nothing but a prefix of `tokens`, or -1."""
        cdef SequenceC* longest = longest_below(self.root, tokens, n, key)
        return -1 if longest == NULL else <int32_t> (longest - self.sequences)

    cdef int32_t vacant(self) noexcept nogil:
        """A sequence that is free to take, or -1."""
        cdef int32_t i
        for i in range(self.n_sequences):
            if self.sequences[i].holder == HOLDER_NONE:
                return i
        return -1

    cdef int32_t oldest_parked(self) noexcept nogil:
        """The sequence that was parked longest ago, or -1."""
        cdef int32_t i, oldest = -1
        for i in range(self.n_sequences):
            if self.sequences[i].holder == HOLDER_PARKED and (
                    oldest < 0 or self.sequences[i].parked_at < self.sequences[oldest].parked_at):
                oldest = i
        return oldest

    cdef int32_t first_idle(self) noexcept nogil:
        """The first sequence that is not live, or -1."""
        cdef int32_t i
        for i in range(self.n_sequences):
            if self.sequences[i].holder != HOLDER_LIVE:
                return i
        return -1

    cdef void start(self, int32_t i, int64_t key) noexcept nogil:
        """Make a vacant or parked sequence live, with what it holds, which is of the same key."""
        cdef SequenceC* sequence = &self.sequences[i]
        sequence.key = key
        cdef int32_t n_parked = 1 if sequence.holder == HOLDER_PARKED else 0
        sequence.holder = HOLDER_LIVE
        self.count(sequence.tail, 1, -n_parked)

    cdef int share(self, int32_t i_source, int32_t i, int32_t n) noexcept nogil:
        """Give an empty live sequence the first `n` tokens of another; -1 if memory is short."""
        cdef NodeC* node = self.node_at(i_source, n)
        if node == NULL:
            return -1
        self.move(i, node, n)
        return 0

    cdef int extend(self, int32_t i, const llama_token* tokens, int32_t n) noexcept nogil:
        """Append tokens that a live sequence has computed; -1, unchanged, if memory is short."""
        cdef SequenceC* sequence = &self.sequences[i]
        cdef NodeC* tail = sequence.tail
        if tail == self.root or tail.n_live + tail.n_parked > 1:
            tail = new_node(tail)
            if tail == NULL:
                return -1
            tail.key = sequence.key
            self.move(i, tail, sequence.n_tokens)
        if reserve(tail, tail.n_tokens + n) < 0:
            return -1
        memcpy(tail.tokens + tail.n_tokens, tokens, n * sizeof(llama_token))
        tail.n_tokens += n
        sequence.n_tokens += n
        self.n_cells += n
        self.n_live_cells += n
        return 0

    cdef int extend_moved(self, int32_t i, const llama_token* tokens, int32_t n) noexcept nogil:
        """Append tokens whose cells a shift has moved, as whatever comes behind them will be: no
        other sequence finds them. -1 if memory is short."""
        cdef NodeC* node = new_node(self.sequences[i].tail)
        if node == NULL:
            return -1
        node.key = self.sequences[i].key
        node.is_moved = True
        self.move(i, node, self.sequences[i].n_tokens)
        return self.extend(i, tokens, n)

    cdef int truncate(self, int32_t i, int32_t n) noexcept nogil:
        """Keep the first `n` tokens of a sequence; -1 if memory is short."""
        cdef NodeC* node = self.node_at(i, n)
        if node == NULL:
            return -1
        self.move(i, node, n)
        return 0

    cdef void park(self, int32_t i) noexcept nogil:
        """Make a live sequence parked, the last one of all."""
        cdef SequenceC* sequence = &self.sequences[i]
        self.n_parkings += 1
        sequence.parked_at = self.n_parkings
        sequence.holder = HOLDER_PARKED
        self.count(sequence.tail, -1, 1)

    cdef void replace(self, int32_t i, int32_t i_new) noexcept nogil:
        """Let a vacant sequence take the place of a parked one, which becomes vacant."""
        cdef SequenceC* sequence = &self.sequences[i]
        cdef SequenceC* new = &self.sequences[i_new]
        self.count(self.root, 0, 1)
        new.holder = HOLDER_PARKED
        new.key = sequence.key
        new.parked_at = sequence.parked_at
        self.move(i_new, sequence.tail, sequence.n_tokens)
        self.drop(i)

    cdef void drop(self, int32_t i) noexcept nogil:
        """Make a sequence vacant."""
        cdef SequenceC* sequence = &self.sequences[i]
        self.move(i, self.root, 0)
        if sequence.holder == HOLDER_LIVE:
            self.root.n_live -= 1
        elif sequence.holder == HOLDER_PARKED:
            self.root.n_parked -= 1
        sequence.holder = HOLDER_NONE

    cdef int32_t n_lasting(self, int32_t i) noexcept nogil:
        """Tokens of a sequence in front of those that a shift has moved."""
        cdef NodeC* node = self.sequences[i].tail
        cdef int32_t n = self.sequences[i].n_tokens
        while node.is_moved:
            n -= node.n_tokens
            node = node.parent
        return n

    cdef int32_t n_exclusive(self, int32_t i) noexcept nogil:
        """Cells at the end of a sequence that no other one holds."""
        cdef NodeC* node = self.sequences[i].tail
        cdef int32_t n = 0
        while node != self.root and node.n_live + node.n_parked == 1:
            n += node.n_tokens
            node = node.parent
        return n

    cdef bint is_redundant(self, int32_t i) noexcept nogil:
        """Whether another sequence holds every cell of this one."""
        cdef NodeC* tail = self.sequences[i].tail
        return tail == self.root or tail.n_live + tail.n_parked > 1

    cdef void copy_tokens(self, int32_t i, llama_token* tokens) noexcept nogil:
        """The tokens of a sequence, into an array that is long enough."""
        cdef NodeC* node = self.sequences[i].tail
        cdef int32_t end = self.sequences[i].n_tokens
        while node != self.root:
            end -= node.n_tokens
            memcpy(tokens + end, node.tokens, node.n_tokens * sizeof(llama_token))
            node = node.parent

    cdef NodeC* node_at(self, int32_t i, int32_t n) noexcept nogil:
        """The node that ends after the first `n` tokens of a sequence, split off if need be."""
        cdef NodeC* node = self.sequences[i].tail
        cdef int32_t end = self.sequences[i].n_tokens
        while node != self.root and end - node.n_tokens >= n:
            end -= node.n_tokens
            node = node.parent
        if end == n:
            return node
        return split(node, node.n_tokens - (end - n))

    cdef void move(self, int32_t i, NodeC* node, int32_t n_tokens) noexcept nogil:
        """Let a sequence end at another node, and free what nobody holds any more."""
        cdef SequenceC* sequence = &self.sequences[i]
        cdef NodeC* tail = sequence.tail
        cdef int32_t n_live = 1 if sequence.holder == HOLDER_LIVE else 0
        cdef int32_t n_parked = 1 if sequence.holder == HOLDER_PARKED else 0
        unlink(sequence)
        self.count(node, n_live, n_parked)
        self.count(tail, -n_live, -n_parked)
        sequence.tail = node
        sequence.n_tokens = n_tokens
        if node != self.root:
            sequence.next = node.ending
            node.ending = sequence
        self.prune(tail)

    cdef void count(self, NodeC* node, int32_t n_live, int32_t n_parked) noexcept nogil:
        """Change the numbers of sequences on the way from a node to the root, and of cells."""
        while node != NULL:
            self.n_cells -= node.n_tokens if node.n_live + node.n_parked > 0 else 0
            self.n_live_cells -= node.n_tokens if node.n_live > 0 else 0
            node.n_live += n_live
            node.n_parked += n_parked
            self.n_cells += node.n_tokens if node.n_live + node.n_parked > 0 else 0
            self.n_live_cells += node.n_tokens if node.n_live > 0 else 0
            node = node.parent

    cdef void prune(self, NodeC* node) noexcept nogil:
        """Remove a node and its parents as far as nobody holds them, and join what is left."""
        cdef NodeC* parent
        while node != self.root and node.n_live + node.n_parked == 0:
            parent = node.parent
            remove_child(parent, node)
            free(node.tokens)
            free(node)
            node = parent
        if node != self.root and node.ending == NULL and node.child.next == NULL and (
                node.is_moved == node.child.is_moved):
            join(node)


cdef int32_t descend(NodeC* node, const llama_token* tokens, int32_t n, int64_t key,
                     NodeC** deepest) noexcept nogil:
    """The length of the longest match below a node, and the last node that it touches."""
    cdef int32_t n_edge, n_below, longest = 0
    cdef NodeC* below
    cdef NodeC* child = node.child
    while child != NULL:
        n_edge = min(child.n_tokens, n) if child.key == key and not child.is_moved else 0
        n_edge = common_prefix(child.tokens, tokens, n_edge)
        below = child
        n_below = 0
        if 0 < n_edge == child.n_tokens:
            n_below = descend(child, tokens + n_edge, n - n_edge, key, &below)
        if n_edge + n_below > longest:
            longest = n_edge + n_below
            deepest[0] = below
        child = child.next
    return longest


cdef SequenceC* longest_below(NodeC* node, const llama_token* tokens, int32_t n,
                              int64_t key) noexcept nogil:
    """The longest sequence that ends below a node with no more than `tokens`, or NULL."""
    cdef SequenceC* found
    cdef SequenceC* longest = NULL
    cdef NodeC* child = node.child
    while child != NULL:
        if child.key == key and not child.is_moved and child.n_tokens <= n and (
                common_prefix(child.tokens, tokens, child.n_tokens) == child.n_tokens):
            found = longest_below(child, tokens + child.n_tokens, n - child.n_tokens, key)
            if found == NULL:
                found = child.ending
            if found != NULL and (longest == NULL or found.n_tokens > longest.n_tokens):
                longest = found
        child = child.next
    return longest


cdef int32_t common_prefix(const llama_token* a, const llama_token* b, int32_t n) noexcept nogil:
    cdef int32_t i = 0
    while i < n and a[i] == b[i]:
        i += 1
    return i


cdef NodeC* new_node(NodeC* parent) noexcept nogil:
    cdef NodeC* node = <NodeC*> calloc(1, sizeof(NodeC))
    if node != NULL:
        node.is_moved = parent.is_moved
        node.parent = parent
        node.next = parent.child
        parent.child = node
    return node


cdef int reserve(NodeC* node, int32_t n_tokens) noexcept nogil:
    cdef int32_t capacity
    cdef void* grown
    if n_tokens > node.capacity:
        capacity = max(n_tokens, 2 * node.capacity)
        grown = realloc(node.tokens, capacity * sizeof(llama_token))
        if grown == NULL:
            return -1
        node.tokens = <llama_token*> grown
        node.capacity = capacity
    return 0


cdef NodeC* split(NodeC* node, int32_t n_upper) noexcept nogil:
    """Put a new node with the first tokens of the edge above a node; NULL if memory is short.

    The lower part stays the node that sequences point at.
    """
    cdef NodeC* upper = <NodeC*> calloc(1, sizeof(NodeC))
    if upper == NULL or reserve(upper, n_upper) < 0:
        free(upper)
        return NULL
    memcpy(upper.tokens, node.tokens, n_upper * sizeof(llama_token))
    upper.n_tokens = n_upper
    upper.key = node.key
    upper.n_live = node.n_live
    upper.n_parked = node.n_parked
    upper.is_moved = node.is_moved
    upper.parent = node.parent
    remove_child(node.parent, node)
    upper.next = upper.parent.child
    upper.parent.child = upper
    node.parent = upper
    node.next = NULL
    upper.child = node
    node.n_tokens -= n_upper
    memmove(node.tokens, node.tokens + n_upper, node.n_tokens * sizeof(llama_token))
    return upper


cdef void join(NodeC* upper) noexcept nogil:
    """Put the edge of a node in front of its only child's; as it is, if memory is short."""
    cdef NodeC* node = upper.child
    if reserve(node, upper.n_tokens + node.n_tokens) < 0:
        return
    memmove(node.tokens + upper.n_tokens, node.tokens, node.n_tokens * sizeof(llama_token))
    memcpy(node.tokens, upper.tokens, upper.n_tokens * sizeof(llama_token))
    node.n_tokens += upper.n_tokens
    node.parent = upper.parent
    remove_child(upper.parent, upper)
    node.next = node.parent.child
    node.parent.child = node
    free(upper.tokens)
    free(upper)


cdef void remove_child(NodeC* parent, NodeC* node) noexcept nogil:
    cdef NodeC** link = &parent.child
    while link[0] != node:
        link = &link[0].next
    link[0] = node.next


cdef void unlink(SequenceC* sequence) noexcept nogil:
    """Take a sequence off its tail's list."""
    cdef SequenceC** link = &sequence.tail.ending
    while link[0] != NULL:
        if link[0] == sequence:
            link[0] = sequence.next
            break
        link = &link[0].next
    sequence.next = NULL


cdef void free_below(NodeC* node) noexcept nogil:
    cdef NodeC* child
    if node == NULL:
        return
    while node.child != NULL:
        child = node.child
        node.child = child.next
        free_below(child)
        free(child.tokens)
        free(child)
