"""Sampling where the logits are computed: llama.cpp runs a request's chain beside the model.

Then no row of logits comes to the host, only what was chosen. llama.cpp has a chain for each
sequence. A new one makes it build its graphs anew before the next forward, so a sequence keeps its
chain, and the next request with the same samplers gives it the state of its own.
"""
from libc.stdlib cimport calloc, free

from .llama cimport LlamaC
from .sampler cimport sampler_accept


cdef class Backend:
    """The chains of one context's sequences.

    :param is_enabled: use it, as far as llama.cpp can; else nothing here does anything.
    :param is_set: the context was made with a chain for each sequence.
    """

    def __cinit__(self, Context context not None, bint is_enabled, bint is_set=False):
        cdef int32_t i
        self.context = context
        self.is_enabled = is_enabled
        self.release = context.library.c.sampler_free
        self.n_sequences = context.n_seq_max
        self.attached = <AttachedC*> calloc(self.n_sequences, sizeof(AttachedC))
        if self.attached == NULL:
            raise MemoryError
        for i in range(self.n_sequences):
            self.attached[i].is_set = is_set

    def __dealloc__(self):
        # Nobody computes with the context any more.
        cdef int32_t i
        if self.attached != NULL:
            for i in range(self.n_sequences):
                if self.attached[i].chain != NULL:
                    self.release(self.attached[i].chain)
        free(self.attached)

    cdef void attach(self, int32_t i_sequence, SamplerC* sampler) noexcept nogil:
        """Have a sequence's rows sampled by a request's chain, if it has one; else by nobody."""
        cdef LlamaC* llama = &self.context.library.c
        cdef AttachedC* held = &self.attached[i_sequence]
        cdef void* chain
        sampler.attached = NULL
        if not self.is_enabled or sampler.backend == NULL:
            if held.is_set:
                self.change(i_sequence, NULL)
            return
        if held.chain != NULL and held.key == sampler.backend_key:
            llama.sampler_copy(sampler.backend, held.chain)
            sampler.attached = held.chain
            return
        # A chain can be given to llama.cpp once; the request's own one may be needed again.
        chain = llama.sampler_clone(sampler.backend)
        if self.change(i_sequence, chain):
            held.key = sampler.backend_key
            sampler.attached = chain
        else:
            self.is_enabled = False

    cdef void detach(self, SamplerC* sampler) noexcept nogil:
        """Let a request go on elsewhere; its chain stays until somebody else needs the sequence."""
        if sampler.attached != NULL:
            self.context.library.c.sampler_copy(sampler.attached, sampler.backend)
            sampler.attached = NULL

    cdef bint change(self, int32_t i_sequence, void* chain) noexcept nogil:
        """Give llama.cpp a chain, which is owned from now on, or none; False if it refuses it."""
        cdef LlamaC* llama = &self.context.library.c
        cdef AttachedC* held = &self.attached[i_sequence]
        cdef bint accepted = llama.set_sampler(self.context.ctx, i_sequence, chain)
        if accepted and chain != NULL and not self.runs_all(chain):
            accepted = False
            llama.set_sampler(self.context.ctx, i_sequence, NULL)
        if not accepted and chain != NULL:
            self.release(chain)
            chain = NULL
        if held.chain != NULL:
            self.release(held.chain)
        self.n_changes += 1
        held.chain = chain
        held.is_set = chain != NULL
        return accepted

    cdef bint runs_all(self, void* chain) noexcept nogil:
        """Whether the device has what all samplers of a chain need; llama.cpp marks their names."""
        cdef LlamaC* llama = &self.context.library.c
        cdef int32_t i
        for i in range(llama.sampler_chain_n(chain)):
            if llama.sampler_name(llama.sampler_chain_get(chain, i))[0] != c"+":
                return False
        return True

    cdef llama_token sampled(self, int32_t i_row, SamplerC* sampler) noexcept nogil:
        """The token of an output row, accepted by the request's samplers; waits for the device."""
        cdef LlamaC* llama = &self.context.library.c
        cdef llama_token token = llama.get_sampled_token_ith(self.context.ctx, i_row)
        if token >= 0:
            llama.sampler_accept(sampler.attached, token)
            sampler_accept(sampler, llama, token)
            self.n_sampled += 1
        return token
