"""What the core uses of llama.h: structs, and the functions as one table of pointers.

No llama.cpp header is compiled in and nothing is linked. `lib` fills the table at run time and
checks each struct below against the ctypes mirror of the installed llama-cpp-python.
"""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t

cdef extern from "<stdbool.h>" nogil:
    ctypedef bint c_bool "bool"

ctypedef int32_t llama_token
ctypedef int32_t llama_pos
ctypedef int32_t llama_seq_id

cdef struct llama_token_data:
    llama_token id
    float logit
    float p

cdef struct llama_token_data_array:
    llama_token_data* data
    size_t size
    int64_t selected
    c_bool sorted

cdef struct llama_batch:
    int32_t n_tokens
    llama_token* token
    float* embd
    llama_pos* pos
    int32_t* n_seq_id
    llama_seq_id** seq_id
    int8_t* logits

cdef struct LlamaC:
    # Each field is the llama.h function of its name behind `llama_`; opaque types are void.
    int32_t (*decode)(void* ctx, llama_batch batch) noexcept nogil
    float* (*get_logits_ith)(void* ctx, int32_t i) noexcept nogil
    void* (*get_memory)(const void* ctx) noexcept nogil
    const void* (*get_model)(const void* ctx) noexcept nogil
    c_bool (*model_is_recurrent)(const void* model) noexcept nogil
    c_bool (*model_is_hybrid)(const void* model) noexcept nogil
    int32_t (*model_n_swa)(const void* model) noexcept nogil
    uint32_t (*n_ctx)(const void* ctx) noexcept nogil
    uint32_t (*n_ctx_seq)(const void* ctx) noexcept nogil
    uint32_t (*n_batch)(const void* ctx) noexcept nogil
    uint32_t (*n_ubatch)(const void* ctx) noexcept nogil
    uint32_t (*n_seq_max)(const void* ctx) noexcept nogil
    c_bool (*memory_seq_rm)(void* mem, llama_seq_id seq, llama_pos p0, llama_pos p1) noexcept nogil
    void (*memory_seq_cp)(
        void* mem, llama_seq_id src, llama_seq_id dst, llama_pos p0, llama_pos p1) noexcept nogil
    void (*memory_seq_add)(
        void* mem, llama_seq_id seq, llama_pos p0, llama_pos p1, llama_pos delta) noexcept nogil
    c_bool (*memory_can_shift)(void* mem) noexcept nogil
    llama_pos (*memory_seq_pos_min)(void* mem, llama_seq_id seq) noexcept nogil
    llama_pos (*memory_seq_pos_max)(void* mem, llama_seq_id seq) noexcept nogil
    size_t (*state_seq_get_size_ext)(
        void* ctx, llama_seq_id seq, uint32_t flags) noexcept nogil
    size_t (*state_seq_get_data_ext)(
        void* ctx, uint8_t* dst, size_t size, llama_seq_id seq, uint32_t flags) noexcept nogil
    size_t (*state_seq_set_data_ext)(
        void* ctx, const uint8_t* src, size_t size, llama_seq_id seq, uint32_t flags) noexcept nogil
    void (*sampler_apply)(void* smpl, llama_token_data_array* cur_p) noexcept nogil
    void (*sampler_accept)(void* smpl, llama_token token) noexcept nogil
    void (*sampler_copy)(const void* src, void* dst) noexcept nogil
    void* (*sampler_clone)(const void* smpl) noexcept nogil
    void (*sampler_free)(void* smpl) noexcept nogil
    const char* (*sampler_name)(const void* smpl) noexcept nogil
    int32_t (*sampler_chain_n)(const void* chain) noexcept nogil
    void* (*sampler_chain_get)(void* chain, int32_t i) noexcept nogil
    int32_t (*set_adapters_lora)(
        void* ctx, void** adapters, size_t n_adapters, float* scales) noexcept nogil
    c_bool (*set_sampler)(void* ctx, llama_seq_id seq, void* smpl) noexcept nogil
    llama_token (*get_sampled_token_ith)(void* ctx, int32_t i) noexcept nogil
    int32_t (*vocab_n_tokens)(const void* vocab) noexcept nogil
    c_bool (*vocab_is_eog)(const void* vocab, llama_token token) noexcept nogil
    int32_t (*token_to_piece)(
        const void* vocab, llama_token token, char* buf, int32_t length, int32_t lstrip,
        c_bool special,
    ) noexcept nogil
