from libc.stdint cimport int32_t, int64_t


cdef struct LinesC:
    int32_t n_indent      # white space that every line but the first begins with; 0: none has to
    int64_t max_ns        # after the first token, at which the next line break ends it; 0: none
    int32_t n_spaces      # of the line that has just begun; -1: not there


cdef int32_t lines_push(LinesC* lines, const char* piece, int32_t n_bytes) noexcept nogil
cdef bint lines_late(const LinesC* lines, const char* piece, int32_t n_bytes,
                     int64_t elapsed) noexcept nogil
