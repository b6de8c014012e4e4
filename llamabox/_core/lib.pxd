from .llama cimport LlamaC


cdef class Library:
    cdef LlamaC c
    cdef readonly object binding
