"""A set of LoRA adapters, each with a scale, that the rows of a request are computed with."""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free


cdef class AdapterSet:
    """Adapters and their scales, as llama.cpp takes them.

    :param key: what the cells that are computed with it are told apart by; not 0, which is none.
    :param adapters: (address of a `llama_adapter_lora`, scale) pairs, one at least; borrowed.
    :param owner: kept alive as long as this object.
    """

    def __cinit__(self, int64_t key, adapters, *, owner=None):
        cdef size_t i
        if key == 0 or not adapters:
            raise ValueError("an empty set is none")
        self.owner = owner
        self.c.key = key
        self.c.n = len(adapters)
        self.c.adapters = <void**> calloc(self.c.n, sizeof(void*))
        self.c.scales = <float*> calloc(self.c.n, sizeof(float))
        if self.c.adapters == NULL or self.c.scales == NULL:
            raise MemoryError
        for i, (address, scale) in enumerate(adapters):
            self.c.adapters[i] = <void*> <uintptr_t> address
            self.c.scales[i] = scale

    def __dealloc__(self):
        free(self.c.adapters)
        free(self.c.scales)

    @property
    def key(self):
        return self.c.key
