"""The table of llama.cpp functions, and the handshake that makes calling through it safe."""
import ctypes

from libc.stdint cimport uintptr_t

from .llama cimport LlamaC, llama_batch, llama_token_data, llama_token_data_array

from ..errors import IncompatibleLibrary

SUPPORTED = ("0.3.36", "0.3.37")
"""llama-cpp-python versions that fit: from the first, up to but without the second."""

FUNCTIONS = (
    "decode",
    "get_logits_ith",
    "get_memory",
    "get_model",
    "model_is_recurrent",
    "model_is_hybrid",
    "model_n_swa",
    "n_ctx",
    "n_ctx_seq",
    "n_batch",
    "n_ubatch",
    "n_seq_max",
    "memory_seq_rm",
    "memory_seq_cp",
    "memory_seq_add",
    "memory_can_shift",
    "memory_seq_pos_min",
    "memory_seq_pos_max",
    "state_seq_get_size_ext",
    "state_seq_get_data_ext",
    "state_seq_set_data_ext",
    "sampler_apply",
    "sampler_accept",
    "sampler_copy",
    "sampler_clone",
    "sampler_free",
    "sampler_name",
    "sampler_chain_n",
    "sampler_chain_get",
    "set_adapters_lora",
    "set_sampler",
    "get_sampled_token_ith",
    "vocab_n_tokens",
    "vocab_is_eog",
    "token_to_piece",
)
"""The fields of `LlamaC`, in their order there."""


cdef class Library:
    """The functions of one loaded libllama.

    The pointers come out of the ctypes functions that llama-cpp-python has already bound, so the
    library is the one that it loaded, whatever its backend, and is never mapped twice.

    :param binding: the module `llama_cpp`, or a stand-in with the same names.
    :raises IncompatibleLibrary: its version, a struct or a function is not what this build needs.
    """

    def __cinit__(self, binding):
        check_version(binding)
        for name, layout in struct_layouts().items():
            check_struct(binding, name, layout)
        assert sizeof(LlamaC) == len(FUNCTIONS) * sizeof(void*)
        cdef void** entries = <void**> &self.c
        cdef int i
        for i, name in enumerate(FUNCTIONS):
            entries[i] = <void*> <uintptr_t> function_address(binding, f"llama_{name}")
        self.binding = binding


def check_version(binding):
    """:raises IncompatibleLibrary: llama-cpp-python is older or newer than this build knows."""
    lowest, limit = SUPPORTED
    found = getattr(binding, "__version__", "of no stated version")
    try:
        fits = version_key(lowest) <= version_key(found) < version_key(limit)
    except ValueError:
        fits = False
    if not fits:
        raise IncompatibleLibrary(
            f"llamabox needs llama-cpp-python >= {lowest}, < {limit}; {found} is installed. "
            f"Mend it with: pip install llama-cpp-python=={lowest}"
        )


def version_key(version):
    """`"0.3.36"` as `(0, 3, 36)`; a fourth part such as `.post1` is left out."""
    return tuple(int(part) for part in version.split(".")[:3])


def struct_layouts():
    """What this build was compiled with: struct name to (size, {field: offset}), in bytes."""
    cdef llama_batch batch
    cdef llama_token_data data
    cdef llama_token_data_array array
    return {
        "llama_batch": (sizeof(llama_batch), {
            "n_tokens": <char*> &batch.n_tokens - <char*> &batch,
            "token": <char*> &batch.token - <char*> &batch,
            "embd": <char*> &batch.embd - <char*> &batch,
            "pos": <char*> &batch.pos - <char*> &batch,
            "n_seq_id": <char*> &batch.n_seq_id - <char*> &batch,
            "seq_id": <char*> &batch.seq_id - <char*> &batch,
            "logits": <char*> &batch.logits - <char*> &batch,
        }),
        "llama_token_data": (sizeof(llama_token_data), {
            "id": <char*> &data.id - <char*> &data,
            "logit": <char*> &data.logit - <char*> &data,
            "p": <char*> &data.p - <char*> &data,
        }),
        "llama_token_data_array": (sizeof(llama_token_data_array), {
            "data": <char*> &array.data - <char*> &array,
            "size": <char*> &array.size - <char*> &array,
            "selected": <char*> &array.selected - <char*> &array,
            "sorted": <char*> &array.sorted - <char*> &array,
        }),
    }


def check_struct(binding, name, layout):
    """:raises IncompatibleLibrary: the ctypes struct `name` is laid out in another way."""
    struct = getattr(binding, name, None)
    if struct is None:
        raise IncompatibleLibrary(f"the installed llama-cpp-python has no struct {name}")
    size, offsets = layout
    found = {field: getattr(struct, field).offset for field, *_ in struct._fields_}
    if (ctypes.sizeof(struct), found) != (size, offsets):
        raise IncompatibleLibrary(
            f"{name} has another layout in the installed llama-cpp-python: "
            f"{ctypes.sizeof(struct)} bytes {found}, llamabox was built for {size} {offsets}"
        )


def function_address(binding, name):
    """:raises IncompatibleLibrary: the library has no function `name`."""
    function = getattr(binding, name, None)
    pointer = ctypes.cast(function, ctypes.c_void_p).value if function else None
    if not pointer:
        raise IncompatibleLibrary(f"the installed llama-cpp-python has no function {name}")
    return pointer
