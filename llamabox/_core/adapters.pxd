from libc.stdint cimport int64_t


cdef struct AdapterSetC:
    int64_t key           # differs from that of every other set
    size_t n
    void** adapters       # [n], a `llama_adapter_lora` each
    float* scales         # [n]


cdef class AdapterSet:
    cdef AdapterSetC c
    cdef readonly object owner
