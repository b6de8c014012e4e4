cdef extern from "debug.h":
    const bint LLAMABOX_DEBUG
