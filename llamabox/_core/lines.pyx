"""Limits of an output that are looked at line by line: time and indentation.

They are llama-server's `t_max_predict_ms` and `n_indent`, made for completing code in an editor.
"""
from libc.string cimport memchr


cdef int32_t lines_push(LinesC* lines, const char* piece, int32_t n_bytes) noexcept nogil:
    """Take the bytes of a token; returns how many of them stand before the first line that begins
    with too little white space has its first character: all, or the output ends there."""
    cdef int32_t i
    if lines.n_indent == 0:
        return n_bytes
    for i in range(n_bytes):
        if lines.n_spaces >= 0:
            if piece[i] in (c" ", c"\t"):
                lines.n_spaces += 1
                continue
            if lines.n_spaces < lines.n_indent:
                return i
            lines.n_spaces = -1
        if piece[i] == c"\n":
            lines.n_spaces = 0
    return n_bytes


cdef bint lines_late(const LinesC* lines, const char* piece, int32_t n_bytes,
                     int64_t elapsed) noexcept nogil:
    """Whether a token ends a line when the time is up.

    :param elapsed: nanoseconds since the first token.
    """
    return 0 < lines.max_ns < elapsed and memchr(piece, c"\n", n_bytes) != NULL
