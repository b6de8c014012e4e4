"""What llama.cpp saves of a sequence whose memory is attention caches alone, cut and joined.

Source: llama.cpp, `llama_kv_cache::state_write`. Behind a magic number and the sequence come the
caches (one; two where some layers have a sliding window). Of each: the number of streams, and for
each stream the number of cells; if there are any: an entry for each cell (position, 1, perhaps
what media and n-gram embeddings need, sequence), whether values are transposed, the number of
layers, the keys of each layer (type, bytes of a row, rows) and the values of each (the same; or,
transposed: type, bytes of an element, number of rows, and in each row an element for each cell).

Whatever does not look like this to its last byte is refused.
"""
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

cdef enum:
    MAX_PARTS = 65536     # as many as a context of 2^22 tokens has blocks of 64
    N_HEAD = 8            # bytes of the magic number and the sequence


cdef struct WriterC:
    uint8_t* out          # NULL: only count
    size_t n_bytes


cdef size_t merge(const WantedC* wanted, int32_t n, uint8_t* out) noexcept nogil:
    """Write the wanted cells of some states as one state; returns its bytes.

    0 if a state is not understood, or lacks cells. Of a state that is not wanted as a whole, the
    wanted cells have to follow one another. With `out` NULL nothing is written.
    """
    cdef FormatC format
    cdef int i
    cdef size_t n_bytes
    for i in range(4):
        format = FormatC(12 + 12 * (i % 2), i < 2)
        n_bytes = merge_as(&format, wanted, n, out)
        if n_bytes > 0:
            return n_bytes
    return 0


cdef size_t merge_as(const FormatC* format, const WantedC* wanted, int32_t n,
                     uint8_t* out) noexcept nogil:
    cdef CursorC[16] few
    cdef CursorC* cursors = few
    cdef WriterC writer = WriterC(out, 0)
    cdef int32_t i
    cdef bint is_read = True
    if n < 1 or n > MAX_PARTS:
        return 0
    if n > 16:
        cursors = <CursorC*> malloc(n * sizeof(CursorC))
        if cursors == NULL:
            return 0
    for i in range(n):
        cursors[i].at = wanted[i].state + N_HEAD
        cursors[i].end = wanted[i].state + wanted[i].n_bytes
        cursors[i].p0, cursors[i].p1 = wanted[i].p0, wanted[i].p1
        is_read = is_read and wanted[i].n_bytes > N_HEAD and wanted[i].p0 < wanted[i].p1
    if is_read:
        write(&writer, wanted[0].state, N_HEAD)
    while is_read and cursors[0].at < cursors[0].end:
        is_read = merge_cache(format, cursors, n, &writer)
    for i in range(n):
        is_read = is_read and cursors[i].at == cursors[i].end
    if cursors != few:
        free(cursors)
    return writer.n_bytes if is_read else 0


cdef bint merge_cache(const FormatC* format, CursorC* cursors, int32_t n,
                      WriterC* writer) noexcept nogil:
    """The next attention cache of all states."""
    cdef uint32_t is_transposed = 0, n_layers = 0, _il
    if not (merge_cells(format, cursors, n, writer)
            and same_word(cursors, n, writer, &is_transposed)
            and same_word(cursors, n, writer, &n_layers)):
        return False
    for _il in range(n_layers):
        if not merge_rows(cursors, n, writer):
            return False
    if format.has_values:
        for _il in range(n_layers):
            if not (merge_columns(cursors, n, writer) if is_transposed
                    else merge_rows(cursors, n, writer)):
                return False
    return end_streams(cursors, n, writer)


cdef bint merge_cells(const FormatC* format, CursorC* cursors, int32_t n,
                      WriterC* writer) noexcept nogil:
    """The number of streams, and the entries of cells in the one that has any."""
    cdef uint32_t n_streams = 0, n_cells = 0, i_stream, _i
    cdef int32_t i
    cdef uint32_t total = 0
    cdef CursorC* cursor
    if not same_word(cursors, n, writer, &n_streams):
        return False
    for i in range(n):
        cursor = &cursors[i]
        i_stream = 0
        cursor.n_cells = 0
        while cursor.n_cells == 0:
            if i_stream == n_streams or not take_word(cursor, &cursor.n_cells):
                return False
            i_stream += 1
        cursor.n_rest = n_streams - i_stream
        if not choose_cells(format, cursor):
            return False
        total += cursor.i1 - cursor.i0
    for _i in range(n_streams - cursors[0].n_rest - 1):
        write(writer, &n_cells, sizeof(uint32_t))
    write(writer, &total, sizeof(uint32_t))
    for i in range(n):
        cursor = &cursors[i]
        write(writer, cursor.at + <size_t> cursor.i0 * format.n_cell,
              <size_t> (cursor.i1 - cursor.i0) * format.n_cell)
        cursor.at += <size_t> cursor.n_cells * format.n_cell
    return True


cdef bint choose_cells(const FormatC* format, CursorC* cursor) noexcept nogil:
    """Find the wanted cells: all there are, or a run of them in their order."""
    cdef uint32_t i, n_wanted = <uint32_t> (cursor.p1 - cursor.p0)
    cdef int32_t position
    if <size_t> cursor.n_cells > <size_t> (cursor.end - cursor.at) // format.n_cell:
        return False
    cursor.i0 = cursor.n_cells
    for i in range(cursor.n_cells):
        position = cell_position(format, cursor, i)
        if position < 0:
            return False
        if position == cursor.p0:
            cursor.i0 = i
        if n_wanted == cursor.n_cells and not cursor.p0 <= position < cursor.p1:
            return False
    if n_wanted == cursor.n_cells:
        cursor.i0, cursor.i1 = 0, n_wanted
        return True
    cursor.i1 = cursor.i0 + n_wanted
    if cursor.i1 > cursor.n_cells:
        return False
    for i in range(cursor.i0, cursor.i1):
        if cell_position(format, cursor, i) != cursor.p0 + <int32_t> (i - cursor.i0):
            return False
    return True


cdef int32_t cell_position(const FormatC* format, const CursorC* cursor,
                           uint32_t i) noexcept nogil:
    """The position of a cell that one sequence holds; else -1."""
    cdef int32_t[2] entry
    memcpy(entry, cursor.at + <size_t> i * format.n_cell, sizeof(entry))
    return entry[0] if entry[1] == 1 else -1


cdef bint merge_rows(CursorC* cursors, int32_t n, WriterC* writer) noexcept nogil:
    """The keys of a layer, or values that are not transposed."""
    cdef uint8_t[12] head
    cdef uint64_t n_row
    cdef int32_t i
    if not same(cursors, n, writer, head, 12):
        return False
    memcpy(&n_row, head + 4, sizeof(uint64_t))
    for i in range(n):
        if not take_items(&cursors[i], writer, n_row):
            return False
    return True


cdef bint merge_columns(CursorC* cursors, int32_t n, WriterC* writer) noexcept nogil:
    """The transposed values of a layer."""
    cdef uint32_t[3] head
    cdef uint32_t _j
    cdef int32_t i
    if not same(cursors, n, writer, head, 12):
        return False
    for _j in range(head[2]):
        for i in range(n):
            if not take_items(&cursors[i], writer, head[1]):
                return False
    return True


cdef bint take_items(CursorC* cursor, WriterC* writer, uint64_t n_item) noexcept nogil:
    """Pass by an item for each cell, and write those of the wanted ones."""
    cdef size_t n_left = cursor.end - cursor.at
    if n_item > 0 and cursor.n_cells > n_left // n_item:
        return False
    write(writer, cursor.at + cursor.i0 * n_item, (cursor.i1 - cursor.i0) * n_item)
    cursor.at += cursor.n_cells * n_item
    return True


cdef bint end_streams(CursorC* cursors, int32_t n, WriterC* writer) noexcept nogil:
    """The streams behind that of the cells, which have none."""
    cdef int32_t i
    cdef uint32_t _j, n_cells = 0
    for i in range(n):
        for _j in range(cursors[i].n_rest):
            if not take_word(&cursors[i], &n_cells) or n_cells != 0:
                return False
    for _j in range(cursors[0].n_rest):
        write(writer, &n_cells, sizeof(uint32_t))
    return True


cdef bint same_word(CursorC* cursors, int32_t n, WriterC* writer, uint32_t* word) noexcept nogil:
    return same(cursors, n, writer, word, sizeof(uint32_t))


cdef bint same(CursorC* cursors, int32_t n, WriterC* writer, void* bytes,
               size_t n_bytes) noexcept nogil:
    """Read bytes that all states have alike, and write them."""
    cdef int32_t i
    for i in range(n):
        if <size_t> (cursors[i].end - cursors[i].at) < n_bytes:
            return False
        if memcmp(cursors[0].at, cursors[i].at, n_bytes) != 0:
            return False
        if i > 0:
            cursors[i].at += n_bytes
    memcpy(bytes, cursors[0].at, n_bytes)
    cursors[0].at += n_bytes
    write(writer, bytes, n_bytes)
    return True


cdef bint take_word(CursorC* cursor, uint32_t* word) noexcept nogil:
    if <size_t> (cursor.end - cursor.at) < sizeof(uint32_t):
        return False
    memcpy(word, cursor.at, sizeof(uint32_t))
    cursor.at += sizeof(uint32_t)
    return True


cdef void write(WriterC* writer, const void* bytes, size_t n_bytes) noexcept nogil:
    if writer.out != NULL:
        memcpy(writer.out + writer.n_bytes, bytes, n_bytes)
    writer.n_bytes += n_bytes


def merged(states):
    """`merge` for tests: `states` are (bytes, p0, p1); None if they are refused."""
    cdef WantedC[64] wanted
    cdef const uint8_t[::1] view
    cdef uint8_t[::1] out
    cdef size_t n_bytes
    cdef int32_t i, n = <int32_t> len(states)
    if n > 64:
        raise ValueError("too many states")
    for i in range(n):
        view = states[i][0]
        wanted[i] = WantedC(NULL, len(view), states[i][1], states[i][2])
        if len(view) > 0:
            wanted[i].state = &view[0]
    n_bytes = merge(wanted, n, NULL)
    if n_bytes == 0:
        return None
    result = bytearray(n_bytes)
    out = result
    merge(wanted, n, &out[0])
    return bytes(result)
