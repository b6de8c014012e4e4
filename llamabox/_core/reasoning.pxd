from libc.stdint cimport int32_t

from .llama cimport llama_token
from .text cimport StopC


cdef enum ThoughtC:
    THOUGHT_AHEAD = 0     # nothing but white space so far: the opening tag may come
    THOUGHT_INSIDE = 1
    THOUGHT_FORCED = 2    # its end is being forced
    THOUGHT_OVER = 3      # or never was


cdef struct ReasoningC:
    ThoughtC state
    StopC opening             # n_bytes is 0 if there is none
    StopC closing
    llama_token opening_token  # the opening tag as one token, or -1
    llama_token closing_token
    llama_token* forced       # what ends the reasoning when its budget is used up
    int32_t n_forced
    int32_t i_forced          # the next of them
    int32_t n_left            # tokens that it may still take; -1: no limit
    int32_t n_late            # tokens beyond that, waiting for the rest of a character
    int32_t n_missing         # bytes that the last character lacks
    bint is_closed            # the closing tag was there
    int32_t n_tokens          # of the output
    int32_t n_reasoning       # those of them up to the end of the closing tag


cdef class Reasoning:
    cdef ReasoningC c
    cdef int take_tag(self, StopC* tag, bytes text) except -1
    cdef int take_forced(self, const int32_t[::1] forced) except -1


cdef void reasoning_accept(ReasoningC* reasoning, llama_token token, const char* piece,
                           int32_t n_bytes) noexcept nogil


cdef inline llama_token forced_token(const ReasoningC* reasoning) noexcept nogil:
    """The token that has to come next, or -1."""
    if reasoning.state == THOUGHT_FORCED:
        return reasoning.forced[reasoning.i_forced]
    return -1


cdef inline bint is_thinking(const ReasoningC* reasoning) noexcept nogil:
    return reasoning.state == THOUGHT_INSIDE or reasoning.state == THOUGHT_FORCED
