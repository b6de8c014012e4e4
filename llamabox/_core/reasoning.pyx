"""A model's reasoning at the beginning of an output: how long it is, and that it ends in time.

The tags around it are matched byte by byte, across tokens, or as the one token that they are in
many vocabularies, whose piece may be empty. What is sampled beyond the budget is the closing tag.
"""
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from .text cimport stop_free, stop_init, stop_match

# Tokens that an unfinished character may take beyond the budget, as UTF-8 has four bytes at most.
cdef int32_t MAX_LATE = 3


cdef class Reasoning:
    """The reasoning of one request.

    :param closing: the tag that ends it, encoded; not empty.
    :param opening: the tag that begins it, where the output may begin with one; else empty.
    :param closing_token: the closing tag's id, if it is one token; else -1.
    :param opening_token: the same of the opening tag.
    :param is_open: the prompt has opened it.
    :param budget: tokens that it may take, its opening tag apart; -1 for no limit.
    :param forced: ids of the tokens that end it then; one at least, if there is a limit.
    """

    def __cinit__(self, bytes closing, *, bytes opening=b"", int32_t closing_token=-1,
                  int32_t opening_token=-1, bint is_open=False, int32_t budget=-1,
                  forced=None):
        if not closing:
            raise ValueError("no closing tag")
        self.take_tag(&self.c.closing, closing)
        if opening:
            self.take_tag(&self.c.opening, opening)
        self.c.closing_token = closing_token
        self.c.opening_token = opening_token
        self.c.n_left = budget
        if forced is not None:
            self.take_forced(forced)
        if budget >= 0 and self.c.n_forced == 0:
            raise ValueError("a budget, and nothing to end the reasoning with")
        if not is_open:
            self.c.state = THOUGHT_AHEAD if opening else THOUGHT_OVER
        else:
            self.c.state = THOUGHT_FORCED if budget == 0 else THOUGHT_INSIDE

    def __dealloc__(self):
        stop_free(&self.c.opening)
        stop_free(&self.c.closing)
        free(self.c.forced)

    cdef int take_tag(self, StopC* tag, bytes text) except -1:
        if stop_init(tag, text, <int32_t> len(text)) < 0:
            raise MemoryError
        return 0

    cdef int take_forced(self, const int32_t[::1] forced) except -1:
        cdef size_t n = len(forced)
        self.c.forced = <llama_token*> malloc((n + 1) * sizeof(llama_token))
        if self.c.forced == NULL:
            raise MemoryError
        if n > 0:
            memcpy(self.c.forced, &forced[0], n * sizeof(llama_token))
        self.c.n_forced = <int32_t> n
        return 0

    def accept(self, int32_t token, bytes piece):
        """Take an output token; for tests."""
        reasoning_accept(&self.c, token, piece, <int32_t> len(piece))

    @property
    def forced_token(self):
        """The token that has to come next, or -1."""
        return forced_token(&self.c)

    @property
    def n_reasoning(self):
        """Output tokens so far, up to that which completes the closing tag."""
        return self.c.n_reasoning

    @property
    def is_over(self):
        """Whether it has ended, or the output has begun without it."""
        return self.c.state == THOUGHT_OVER


cdef void reasoning_accept(ReasoningC* reasoning, llama_token token, const char* piece,
                           int32_t n_bytes) noexcept nogil:
    """Take an output token, and decide what may come next.

    :param piece: its bytes [n_bytes].
    """
    cdef ThoughtC before = reasoning.state
    if before == THOUGHT_OVER:
        return
    reasoning.n_tokens += 1
    if not reasoning.is_closed:
        read_token(reasoning, token, piece, n_bytes)
        if reasoning.state == THOUGHT_INSIDE or reasoning.state == THOUGHT_FORCED:
            reasoning.n_reasoning = reasoning.n_tokens
    if before == THOUGHT_FORCED:
        reasoning.i_forced += 1
        if reasoning.i_forced == reasoning.n_forced:
            reasoning.state = THOUGHT_OVER
    elif reasoning.is_closed:
        reasoning.state = THOUGHT_OVER
    elif reasoning.state == THOUGHT_INSIDE:
        spend(reasoning, 1 if before == THOUGHT_INSIDE else 0)


cdef void read_token(ReasoningC* reasoning, llama_token token, const char* piece,
                     int32_t n_bytes) noexcept nogil:
    """Match the tags."""
    cdef int32_t i
    if reasoning.state == THOUGHT_AHEAD:
        if token == reasoning.opening_token:
            reasoning.state = THOUGHT_INSIDE
            return
    elif token == reasoning.closing_token:
        reasoning.is_closed = True
        return
    for i in range(n_bytes):
        if reasoning.state == THOUGHT_AHEAD:
            read_ahead(reasoning, piece[i])
        elif reasoning.state == THOUGHT_OVER:
            return
        else:
            read_inside(reasoning, piece[i])


cdef void read_ahead(ReasoningC* reasoning, char byte) noexcept nogil:
    """Match the opening tag, behind white space."""
    cdef StopC* tag = &reasoning.opening
    if tag.n_matched == 0 and byte in (c" ", c"\n", c"\t", c"\r"):
        return
    if tag.bytes[tag.n_matched] != byte:
        reasoning.state = THOUGHT_OVER
        return
    tag.n_matched += 1
    if tag.n_matched == tag.n_bytes:
        reasoning.state = THOUGHT_INSIDE


cdef void read_inside(ReasoningC* reasoning, char byte) noexcept nogil:
    """Match the closing tag, and see where characters end."""
    cdef unsigned char value = <unsigned char> byte
    if stop_match(&reasoning.closing, byte):
        reasoning.is_closed = True
    if value & 0xC0 == 0x80:
        reasoning.n_missing -= reasoning.n_missing > 0
    else:
        reasoning.n_missing = 3 if value >= 0xF0 else 2 if value >= 0xE0 else value >= 0xC0


cdef void spend(ReasoningC* reasoning, int32_t n) noexcept nogil:
    """Take `n` tokens from the budget; once it is used up, and no character is broken, the end is
    forced."""
    if reasoning.n_left < 0:
        return
    if reasoning.n_left > 0:
        reasoning.n_left -= n
    else:
        reasoning.n_late += n
    if reasoning.n_left == 0 and (reasoning.n_missing == 0 or reasoning.n_late >= MAX_LATE):
        reasoning.state = THOUGHT_FORCED
