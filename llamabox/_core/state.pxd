from libc.stdint cimport int32_t, uint8_t, uint32_t


cdef struct WantedC:
    const uint8_t* state  # what `llama_state_seq_get_data` gave
    size_t n_bytes
    int32_t p0            # the half-open range of positions that is wanted of it
    int32_t p1


cdef struct FormatC:
    uint32_t n_cell       # bytes of a cell's entry
    bint has_values       # layers have values beside keys


cdef struct CursorC:
    const uint8_t* at
    const uint8_t* end
    uint32_t n_cells      # of the attention cache that is being read
    uint32_t i0           # the half-open range of its cells that is wanted
    uint32_t i1
    uint32_t n_rest       # streams behind that of the cells
    int32_t p0
    int32_t p1


cdef size_t merge(const WantedC* wanted, int32_t n, uint8_t* out) noexcept nogil
