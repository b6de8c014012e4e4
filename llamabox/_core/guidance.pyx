"""Constraints of llguidance, reached through the C API that its extension module exports.

As with llama.cpp, nothing is linked and no header is compiled in: the functions are taken from the
loaded library behind a handshake. So a step's tokens are checked and masked without the GIL.

A matcher belongs to one request. It takes errors for good: one that ran into a limit allows
nothing any more. Panics of Rust's end there, too.
"""
import ctypes

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove, memset

from .lib cimport Library
from .sync cimport now_ns

import numpy as np

from .lib import function_address, version_key
from ..errors import IncompatibleLibrary, InvalidRequest

SUPPORTED = ("1.9.0", "1.10.0")
"""llguidance versions that fit: from the first, up to but without the second."""

FUNCTIONS = (
    "get_version",
    "new_tokenizer_v2",
    "free_tokenizer",
    "constraint_init_set_defaults",
    "new_matcher",
    "clone_matcher",
    "free_matcher",
    "matcher_get_error",
    "matcher_is_error",
    "matcher_is_accepting",
    "matcher_validate_tokens",
    "matcher_compute_mask",
    "matcher_get_mask",
    "matcher_consume_token",
)
"""The fields of `GuidanceC`, in their order there."""

cdef size_t ROOM = 512   # for a `LlgConstraintInit`, with what later versions may add at its end
cdef unsigned char UNTOUCHED = 0xAA
cdef unsigned char MARK = 0xFF   # no byte of UTF-8


cdef class Guidance:
    """The functions of one loaded llguidance.

    :param path: of its extension module, which is loaded already: it is not mapped again.
    :raises IncompatibleLibrary: its version, a struct or a function is not what this build needs.
    """

    def __cinit__(self, path):
        handle = ctypes.CDLL(path)
        assert sizeof(GuidanceC) == len(FUNCTIONS) * sizeof(void*)
        cdef void** entries = <void**> &self.c
        cdef int i
        for i, name in enumerate(FUNCTIONS):
            function = getattr(handle, f"llg_{name}", None)
            if function is None:
                raise IncompatibleLibrary(f"the installed llguidance has no function llg_{name}")
            entries[i] = <void*> <uintptr_t> ctypes.cast(function, ctypes.c_void_p).value
        check_version(self.c.get_version().decode())
        self.check_limits()

    def check_limits(self):
        """Compare what the library takes for a `LlgConstraintInit` with this build's.

        :raises IncompatibleLibrary: it is laid out in another way.
        """
        cdef unsigned char room[512]
        cdef LlgConstraintInit* init = <LlgConstraintInit*> room
        cdef const void* tokenizer = <const void*> room
        cdef size_t i
        memset(room, UNTOUCHED, ROOM)
        self.c.constraint_init_set_defaults(room, tokenizer)
        fits = (
            init.tokenizer == tokenizer
            and init.log_stderr_level <= 2
            and 0 < init.limits.max_items_in_row < 1 << 40
            and 0 < init.limits.step_lexer_fuel < 1 << 40
            and 0 < init.limits.max_grammar_size < 1 << 40
        )
        for i in range(sizeof(LlgConstraintInit), ROOM):
            fits = fits and room[i] == UNTOUCHED
        if not fits:
            raise IncompatibleLibrary("LlgConstraintInit has another layout in this llguidance")


def check_version(text):
    """:raises IncompatibleLibrary: `text` ("llguidance@1.9.1 ...") is of an unknown version."""
    lowest, limit = SUPPORTED
    found = text.partition(" ")[0].partition("@")[2]
    try:
        key = version_key(found)
        fits = version_key(lowest) <= key < version_key(limit)
    except ValueError:
        fits = False
    if not fits:
        raise IncompatibleLibrary(
            f"llamabox needs llguidance >= {lowest}, < {limit}; {found or text!r} is installed")


cdef class GuidedVocab:
    """A vocabulary as a trie over the bytes of its tokens.

    Control tokens, the unknown one, and those that look like them, are *marked*: no text can mean
    them, only a grammar that names their ids.

    :param llama: the functions of llama.cpp.
    :param address: a `llama_vocab*`, borrowed while the trie is built.
    :param eog: ids of the tokens that end a generation.
    :ivar marked: ids of those tokens by their texts, in bytes.
    :raises InvalidRequest: llguidance takes no such vocabulary.
    """

    def __cinit__(self, Guidance library not None, Library llama not None, uintptr_t address, eog):
        cdef LlgTokenizerInitV2 init
        cdef char message[512]
        cdef VocabBytesC texts
        cdef int read
        self.library = library
        self.release = library.c.free_tokenizer
        self.n_tokens = llama.c.vocab_n_tokens(<void*> address)
        ends = np.array(sorted(eog), np.uint32)
        cdef const uint32_t[::1] eog_ids = ends if len(ends) else np.zeros(1, np.uint32)
        memset(&texts, 0, sizeof(texts))
        texts.get_attr = <int32_t (*)(const void*, int32_t) noexcept nogil> <uintptr_t> \
            function_address(llama.binding, "llama_vocab_get_attr")
        texts.control = (llama.binding.LLAMA_TOKEN_ATTR_CONTROL
                         | llama.binding.LLAMA_TOKEN_ATTR_UNKNOWN)
        texts.user_defined = llama.binding.LLAMA_TOKEN_ATTR_USER_DEFINED
        memset(&init, 0, sizeof(init))
        init.struct_size = sizeof(init)
        init.vocab_size = self.n_tokens
        init.tok_eos = eog_ids[0] if len(ends) else <uint32_t> -1
        init.tok_eos_extra = &eog_ids[0] + 1
        init.tok_eos_extra_count = max(0, <int32_t> len(ends) - 1)
        init.use_approximate_greedy_tokenize_fn = True
        message[0] = 0
        try:
            with nogil:
                read = texts_read(&texts, &llama.c, <void*> address, self.n_tokens)
            if read < 0:
                raise MemoryError
            with nogil:
                init.token_lens = texts.lengths
                init.token_bytes = texts.bytes
                self.tokenizer = library.c.new_tokenizer_v2(&init, message, sizeof(message))
            self.marked = marked_tokens(&texts, self.n_tokens)
        finally:
            free(texts.lengths)
            free(texts.bytes)
        if self.tokenizer == NULL:
            raise InvalidRequest(
                f"the vocabulary goes with no constraint: {message.decode('utf-8', 'replace')}")

    def __dealloc__(self):
        # Through C alone: the garbage collector may have cleared any Python object held here.
        if self.tokenizer != NULL:
            self.release(self.tokenizer)

    def compile(self, kind, source, size_t max_items=1000):
        """A `Constraint`; blocks without the GIL.

        :param kind: "json_schema", "regex" or "lark", as bytes.
        :param source: UTF-8 without NUL.
        :param max_items: of a parser's row; the time that a mask takes grows with their square. An
            object has one for each optional property, an ambiguous grammar ever more.
        :raises InvalidRequest: with the reason; it names no field.
        """
        cdef unsigned char room[512]
        cdef LlgConstraintInit* init = <LlgConstraintInit*> room
        cdef const char* c_kind = kind
        cdef const char* c_source = source
        cdef void* matcher
        cdef Constraint made
        if b"\0" in source:
            raise InvalidRequest("it has a NUL")
        memset(room, 0, ROOM)
        self.library.c.constraint_init_set_defaults(room, self.tokenizer)
        init.log_stderr_level = 0
        init.limits.verbose_errors = False
        init.limits.max_items_in_row = max_items
        with nogil:
            matcher = self.library.c.new_matcher(room, c_kind, c_source)
        if matcher == NULL:
            raise MemoryError
        made = Constraint.__new__(Constraint)
        made.library = self.library
        made.n_tokens = self.n_tokens
        made.matcher = matcher
        made.release = self.library.c.free_matcher
        made.check()
        return made


cdef int texts_read(VocabBytesC* texts, const LlamaC* llama, const void* vocab,
                    int32_t n_tokens) noexcept nogil:
    """Fill in the bytes of all tokens, marked ones with `MARK` in front; -1 if memory is short."""
    cdef size_t used = 0, capacity = 16 * <size_t> n_tokens + 256
    cdef int32_t token, n, attr
    cdef char* grown
    texts.lengths = <uint32_t*> malloc((n_tokens + 1) * sizeof(uint32_t))
    texts.bytes = <char*> malloc(capacity)
    if texts.lengths == NULL or texts.bytes == NULL:
        return -1
    for token in range(n_tokens):
        n = -llama.token_to_piece(vocab, token, NULL, 0, 0, True)   # the room that it needs
        if used + max(n, 0) + 2 > capacity:
            capacity = 2 * capacity + n
            grown = <char*> realloc(texts.bytes, capacity)
            if grown == NULL:
                return -1
            texts.bytes = grown
        n = max(0, llama.token_to_piece(
            vocab, token, texts.bytes + used + 1, <int32_t> (capacity - used - 1), 0, True))
        attr = texts.get_attr(vocab, token)
        if attr & texts.control or (
                attr & texts.user_defined and n > 1 and texts.bytes[used + 1] == b"<"
                and texts.bytes[used + n] == b">"):
            texts.bytes[used] = <char> MARK
            n += 1
        else:
            memmove(texts.bytes + used, texts.bytes + used + 1, n)
        texts.lengths[token] = n
        used += n
    return 0


cdef dict marked_tokens(const VocabBytesC* texts, int32_t n_tokens):
    cdef int32_t token
    cdef size_t used = 0
    marked = {}
    for token in range(n_tokens):
        if texts.lengths[token] > 1 and <unsigned char> texts.bytes[used] == MARK:
            marked.setdefault(texts.bytes[used + 1:used + texts.lengths[token]], token)
        used += texts.lengths[token]
    return marked


cdef class Constraint:
    """A compiled grammar: where the matchers of requests come from (`GuidedVocab.compile`)."""

    def __dealloc__(self):
        # Through C alone: the garbage collector may have cleared any Python object held here.
        if self.matcher != NULL:
            self.release(self.matcher)

    def check(self):
        """Compute the first mask, of which matchers learn; :raises InvalidRequest: it fails, or the
        constraint did not compile."""
        cdef const GuidanceC* lib = &self.library.c
        cdef const char* message
        with nogil:
            if not lib.matcher_is_error(self.matcher):
                lib.matcher_compute_mask(self.matcher)
            message = lib.matcher_get_error(self.matcher)
        if message != NULL:
            raise InvalidRequest(message.decode("utf-8", "replace"))

    def walk(self, tokens):
        """What a request's matcher does with `tokens`: (how many fit, may it end there, error).

        For tests and measurements; a request advances by `sampler`.
        """
        cdef GuidanceC* lib = &self.library.c
        cdef void* matcher = lib.clone_matcher(self.matcher)
        cdef const char* message
        n = 0
        try:
            for token in tokens:
                if not matcher_allows(lib, matcher, token):
                    break
                lib.matcher_consume_token(matcher, token)
                n += 1
            message = lib.matcher_get_error(matcher)
            error = None if message == NULL else message.decode("utf-8", "replace")
            return n, bool(lib.matcher_is_accepting(matcher)), error
        finally:
            lib.free_matcher(matcher)

    def timed(self, tokens):
        """Nanoseconds that a request's matcher takes for each of `tokens`: to check it, to mask all
        tokens, and to go on with it."""
        cdef GuidanceC* lib = &self.library.c
        cdef void* matcher = lib.clone_matcher(self.matcher)
        cdef int64_t t0, t1, t2
        times = []
        for token in tokens:
            t0 = now_ns()
            allowed = matcher_allows(lib, matcher, token)
            t1 = now_ns()
            lib.matcher_compute_mask(matcher)
            t2 = now_ns()
            lib.matcher_consume_token(matcher, token)
            times.append((t1 - t0, t2 - t1, now_ns() - t2))
            if not allowed:
                break
        lib.free_matcher(matcher)
        return times


cdef bint matcher_allows(const GuidanceC* library, void* matcher, llama_token token) noexcept nogil:
    """Whether `token` may come next. Of a matcher that has come to its end, none may."""
    cdef uint32_t id = <uint32_t> token
    return library.matcher_validate_tokens(matcher, &id, 1) == 1


cdef int32_t matcher_candidates(const GuidanceC* library, void* matcher, const float* logits,
                                int32_t n_vocab, llama_token_data* out) noexcept nogil:
    """Write the tokens that may come next to `out` [n_vocab], in the order of their ids.

    Those that end the generation are among them where the output may end. Returns how many there
    are: 0 if the matcher has failed.
    """
    cdef const uint32_t* mask
    cdef uint32_t word
    cdef int32_t i, j, n = 0
    if library.matcher_compute_mask(matcher) != 0:
        return 0
    mask = library.matcher_get_mask(matcher)
    if mask == NULL:
        return 0
    for i in range((n_vocab + 31) // 32):
        word = mask[i]
        if word == 0:
            continue
        for j in range(32 * i, min(32 * i + 32, n_vocab)):
            if word >> (j & 31) & 1:
                out[n] = llama_token_data(j, logits[j], 0)
                n += 1
    return n
