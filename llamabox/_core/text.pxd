from libc.stdint cimport int32_t


cdef struct StopC:
    const char* bytes
    int32_t n_bytes
    int32_t n_matched     # bytes of the stop string that the output ends with
    int32_t* fallback     # [n_bytes]: where a mismatch after i + 1 bytes goes on


cdef struct TextC:
    char* held            # output bytes that are not released yet
    int32_t n_held
    int32_t capacity
    StopC* stops
    int32_t n_stops
    int32_t i_stop        # the stop string that ended the output, or -1
    bint is_deaf          # a stop string that is completed is text like any other


cdef int stop_init(StopC* s, const char* stop, int32_t n_bytes) noexcept nogil
cdef void stop_free(StopC* s) noexcept nogil
cdef bint stop_match(StopC* s, char byte) noexcept nogil
cdef int text_init(TextC* text, int32_t n_stops, int32_t longest_stop,
                   int32_t longest_piece) noexcept nogil
cdef int text_set_stop(TextC* text, int32_t i, const char* stop, int32_t n_bytes) noexcept nogil
cdef void text_free(TextC* text) noexcept nogil
cdef int32_t text_push(TextC* text, const char* piece, int32_t n_bytes) noexcept nogil
cdef void text_release(TextC* text, int32_t n_bytes) noexcept nogil
