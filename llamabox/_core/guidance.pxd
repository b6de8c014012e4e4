"""What the core uses of llguidance's C API (llguidance.h), as one table of pointers."""
from libc.stdint cimport int32_t, uint32_t, uint64_t

from .llama cimport LlamaC, c_bool, llama_token, llama_token_data

cdef struct LlgTokenizerInitV2:
    size_t struct_size
    uint32_t vocab_size
    uint32_t tok_eos
    const uint32_t* token_lens
    const char* token_bytes
    const char* tokenizer_json
    c_bool tokenize_assumes_string
    void* tokenize_fn
    c_bool use_approximate_greedy_tokenize_fn
    const void* tokenize_user_data
    const char** slices
    const uint32_t* tok_eos_extra
    uint32_t tok_eos_extra_count

cdef struct LlgParserLimits:
    size_t max_items_in_row
    uint64_t initial_lexer_fuel
    uint64_t step_lexer_fuel
    size_t step_max_items
    size_t max_lexer_states
    size_t max_grammar_size
    c_bool precompute_large_lexemes
    c_bool verbose_errors

cdef struct LlgConstraintInit:
    const void* tokenizer
    uint32_t log_buffer_level
    uint32_t log_stderr_level
    c_bool ff_tokens_ok
    c_bool backtrack_ok
    LlgParserLimits limits

cdef struct GuidanceC:
    # Each field is the llguidance.h function of its name behind `llg_`; opaque types are void.
    const char* (*get_version)() noexcept nogil
    void* (*new_tokenizer_v2)(
        const LlgTokenizerInitV2* init, char* error, size_t error_len) noexcept nogil
    void (*free_tokenizer)(void* tokenizer) noexcept nogil
    void (*constraint_init_set_defaults)(void* init, const void* tokenizer) noexcept nogil
    void* (*new_matcher)(const void* init, const char* kind, const char* data) noexcept nogil
    void* (*clone_matcher)(const void* matcher) noexcept nogil
    void (*free_matcher)(void* matcher) noexcept nogil
    const char* (*matcher_get_error)(void* matcher) noexcept nogil
    c_bool (*matcher_is_error)(const void* matcher) noexcept nogil
    c_bool (*matcher_is_accepting)(void* matcher) noexcept nogil
    int32_t (*matcher_validate_tokens)(
        void* matcher, const uint32_t* tokens, size_t n_tokens) noexcept nogil
    int32_t (*matcher_compute_mask)(void* matcher) noexcept nogil
    const uint32_t* (*matcher_get_mask)(void* matcher) noexcept nogil
    int32_t (*matcher_consume_token)(void* matcher, uint32_t token) noexcept nogil


cdef struct VocabBytesC:
    uint32_t* lengths       # [n_tokens], owned
    char* bytes             # one token after another, owned
    int32_t (*get_attr)(const void* vocab, int32_t token) noexcept nogil
    int32_t control         # attributes of tokens
    int32_t user_defined


cdef class Guidance:
    cdef GuidanceC c


cdef class GuidedVocab:
    cdef readonly Guidance library
    cdef readonly int32_t n_tokens
    cdef readonly dict marked
    cdef void* tokenizer    # owned


cdef class Constraint:
    cdef readonly Guidance library
    cdef readonly int32_t n_tokens
    cdef void* matcher      # owned, at its start; never advanced


cdef bint matcher_allows(const GuidanceC* library, void* matcher, llama_token token) noexcept nogil
cdef int32_t matcher_candidates(const GuidanceC* library, void* matcher, const float* logits,
                                int32_t n_vocab, llama_token_data* out) noexcept nogil
