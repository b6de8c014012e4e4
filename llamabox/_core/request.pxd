from cpython.ref cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t

from .adapters cimport AdapterSet, AdapterSetC
from .lengths cimport RatesC
from .lines cimport LinesC
from .llama cimport llama_token
from .ngram cimport NgramC
from .outbox cimport Outbox, OutboxC
from .probs cimport ProbsC
from .ratelimit cimport Bucket, BucketC
from .reasoning cimport Reasoning, ReasoningC
from .sampler cimport Sampler, SamplerC
from .sync cimport load_int
from .text cimport TextC
from .types cimport FINISH_CANCELLED, FINISH_DEADLINE, FINISH_NONE
from .vocab cimport Vocab, VocabC


cdef struct RequestC:
    llama_token* tokens   # what is known: the prompt, then the output, less what shifts discarded
    llama_token* history  # with what they discarded; NULL before the first shift
    int32_t n_reserved    # tokens that `history` has room for
    int32_t n_prompt
    int32_t n_tokens      # known
    int32_t n_past        # computed: cells that its slot holds
    int32_t n_predict     # output tokens at which it ends with FINISH_LENGTH
    int32_t n_predict_min  # output tokens of which none completes a stop string
    int32_t n_window      # known tokens at which it shifts; without context shift, it ends
    int32_t n_keep        # the first known tokens, which a shift keeps
    int32_t n_discard     # the ones behind them, which it discards; 0: no context shift
    int32_t n_discarded   # by all shifts
    bint is_moved         # its cells behind n_unmoved are moved ones, and nobody else's to use
    int32_t n_unmoved     # the first known tokens, whose cells have not moved, if others have
    bint starts_anew      # from nothing that others have computed
    int32_t n_reuse       # tokens of a chunk at least that it takes from another position; 0: none
    int32_t n_cached      # prompt tokens that were in a slot already
    bint tells_progress   # of its prompt
    bint has_progress     # of which no event tells yet
    int32_t n_computed    # prompt tokens that were computed by then
    int32_t n_unreported  # output tokens of which no event tells yet
    int32_t n_branch      # of its tokens, those that other sequences hold or are about to
    int32_t n_alike       # requests of the same prompt that were submitted with it, itself included
    int32_t n_common      # of its tokens, those that others had that it could not start from
    int32_t n_marked      # it could be started again from there without computing it anew
    int32_t n_cut         # computed tokens at which its next chunk ends, if above n_past
    int64_t key           # what else the meaning of its tokens depends on
    AdapterSetC* adapters  # that its rows are computed with; NULL: none
    int32_t n_draft       # tokens behind the known ones that its next rows verify
    int32_t n_draft_max   # of one step; 0: nothing is drafted for it
    int32_t n_draft_min   # a shorter draft is dropped
    float draft_p_min     # least probability of a token that a model drafts
    NgramC ngram          # over its history, while `n_min` is not 0
    RatesC rates          # of what is drafted for it
    int64_t n_drafted     # tokens so far that rows were spent on
    int64_t n_draft_accepted  # those of them that became output
    int32_t i_slot        # -1 while it is queued
    int32_t i_last        # the slot that it got last, or -1
    int32_t i_preferred   # the slot that it takes if that is idle; -1: any
    int32_t i_row         # its first output row in the current batch, or -1
    int32_t finish        # FinishC
    int cancelled         # set by any thread, read at step boundaries
    int64_t arrival       # 1 for the first request, and so on
    int64_t rank          # the lower, the sooner it is served
    int64_t t_deadline    # nanoseconds of the monotonic clock; 0 has none
    uint8_t* saved        # its cells while it is preempted, or NULL
    size_t n_saved_bytes
    int32_t n_saved       # tokens that they hold
    void* fetch           # a `FetchC`: of its prefix from the second tier; or NULL
    bint has_fetched      # that was tried since it got its slot
    TextC text
    LinesC lines
    const VocabC* vocab   # whose pieces its text is made of
    ProbsC probs
    SamplerC* sampler
    ReasoningC* reasoning  # NULL: none is expected
    BucketC* bucket       # pays for its tokens; NULL: nobody has to
    int32_t n_allowed     # output tokens that this has for it in this step
    int64_t bucket_rate   # what that fills with from its submission on; see `BucketC`
    int64_t turn          # when tokens of its bucket were last allotted to it; 0: not yet
    OutboxC* outbox
    PyObject* owner       # the Request, which the step thread holds a reference to
    RequestC* next        # in the inbox, and in the queue
    int64_t t_submit      # nanoseconds of the monotonic clock; 0 is not yet
    int64_t t_admit
    int64_t t_first
    int64_t t_last


cdef class Request:
    cdef RequestC c
    cdef readonly Vocab vocab
    cdef readonly Sampler sampler
    cdef readonly Outbox outbox
    cdef readonly Bucket bucket
    cdef readonly AdapterSet adapters
    cdef readonly Reasoning reasoning
    cdef public object consumer
    cdef int64_t priority_ns
    cdef int64_t deadline_ns
    cdef int take_window(self, int32_t n_keep, int32_t n_discard) except -1
    cdef int take_prompt(self, const int32_t[::1] prompt) except -1
    cdef int take_bucket(self, Bucket bucket, double tokens_per_second) except -1
    cdef int take_stops(self, stops) except -1
    cdef void open(self, int64_t now)
    cdef void retract(self)


cdef void request_think(RequestC* request, llama_token token, const char* piece,
                        int32_t n_bytes) noexcept nogil
cdef int request_append(RequestC* request, llama_token token) noexcept nogil
cdef int request_draft(RequestC* request, const llama_token* tokens, int32_t n) noexcept nogil
cdef int request_discard(RequestC* request) noexcept nogil


cdef inline int32_t n_history(const RequestC* request) noexcept nogil:
    """Tokens that were ever known: the prompt and the output."""
    return request.n_tokens + request.n_discarded


cdef inline const llama_token* history(const RequestC* request) noexcept nogil:
    return request.history if request.history != NULL else request.tokens


cdef inline int32_t n_output(const RequestC* request) noexcept nogil:
    return n_history(request) - request.n_prompt


cdef inline bint is_full(const RequestC* request) noexcept nogil:
    """Whether it knows as much as its context holds."""
    return request.n_tokens >= request.n_window


cdef inline bint needs_shift(const RequestC* request) noexcept nogil:
    return request.n_discard > 0 and is_full(request)


cdef inline int32_t n_lasting(const RequestC* request) noexcept nogil:
    """Known tokens whose cells others may come to share."""
    cdef int32_t n = request.n_keep if needs_shift(request) else request.n_tokens
    return min(n, request.n_unmoved) if request.is_moved else n


cdef inline int32_t n_pending(const RequestC* request) noexcept nogil:
    """Known tokens that are not computed yet: the catch-up rule's only number."""
    return request.n_tokens - request.n_past


cdef inline int32_t n_draftable(const RequestC* request) noexcept nogil:
    """Tokens that a draft for its next rows may have: every limit on them is here.

    One more token than is drafted comes out of a step, and it must not get beyond its end.
    """
    cdef int32_t n = min(request.n_predict - n_output(request),
                         request.n_window - request.n_tokens, request.n_allowed) - 1
    if request.sampler.attached != NULL:
        return 0
    return max(0, min(n, request.n_draft_max))


cdef inline int32_t n_to_cut(const RequestC* request) noexcept nogil:
    """Known tokens that may be computed in one step."""
    if request.n_cut > request.n_past:
        return min(n_pending(request), request.n_cut - request.n_past)
    return n_pending(request)


cdef inline bint is_before(const RequestC* a, const RequestC* b) noexcept nogil:
    """Whether `a` is to be served before `b`."""
    return a.rank < b.rank or (a.rank == b.rank and a.arrival < b.arrival)


cdef inline int32_t ended_early(RequestC* request, int64_t now) noexcept nogil:
    """Why a request ends whatever it has computed (`FinishC`), or FINISH_NONE."""
    if load_int(&request.cancelled):
        return FINISH_CANCELLED
    if request.t_deadline != 0 and request.t_deadline <= now:
        return FINISH_DEADLINE
    return FINISH_NONE
