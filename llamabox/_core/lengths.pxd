from libc.stdint cimport int32_t, int64_t

from .costs cimport Costs

cdef enum:
    N_CLASSES = 8         # of matches, by their length


cdef struct RateC:
    float value           # share of predicted tokens that came
    int32_t n             # that it is made of


cdef struct RatesC:
    RateC lookup[N_CLASSES]
    RateC model
    int32_t n_idle        # steps since a model drafted
    int32_t n_patience    # of them before it is tried again


cdef struct OfferC:
    int32_t i_slot
    int32_t n_most        # tokens that may be drafted
    int32_t n_least       # a shorter draft is of no use
    int32_t n_matched     # of the match that lookup has; 0: a model drafts
    float first           # probability that the first token is accepted
    const RatesC* rates   # that of those behind it depends on
    int32_t n             # tokens to draft: what was chosen
    int32_t n_trial       # while choosing
    double margin         # probability that `n_trial` tokens and one more are accepted
    double n_tokens       # expected of the slot with `n_trial` of them


cdef class Lengths:
    cdef readonly Costs costs
    cdef readonly int32_t n_rows
    cdef readonly bint is_partitioned
    cdef int32_t n_idle               # of all requests together, as in `RatesC`
    cdef int32_t n_patience
    cdef double balance_ns            # that a model's drafts have brought, less what they took
    cdef RatesC prior                 # what is expected of a new request
    cdef int32_t n_until_trial        # steps with drafts until an unknown number of rows is tried
    cdef int32_t* picks               # [n_rows]: the offers that a token more was for, in order

    cdef void begin(self, RatesC* rates) noexcept nogil
    cdef void observe_lookup(self, RatesC* rates, int32_t n_matched, bint came) noexcept nogil
    cdef void observe_model(self, RatesC* rates, int32_t n_drafted,
                            int32_t n_accepted) noexcept nogil
    cdef bint wants_model(self, RatesC* rates, bint is_chosen) noexcept nogil
    cdef bint may_pay(self) noexcept nogil
    cdef void charge(self, double ns) noexcept nogil
    cdef void allow(self, int64_t elapsed) noexcept nogil
    cdef void choose(self, OfferC* offers, int32_t n_offers, int32_t n_decode,
                     double depth_ns) noexcept nogil
    cdef double take_best(self, OfferC* offers, int32_t n_offers, int32_t n_decode,
                          double depth_ns, double least) noexcept nogil
    cdef double forward_ns(self, int32_t n_decode, int32_t n, double split_ns) noexcept nogil
    cdef int32_t best_even(self, OfferC* offers, int32_t n_offers, double depth_ns,
                           double least) noexcept nogil
    cdef int32_t try_fewer(self, int32_t n_decode, int32_t n) noexcept nogil


cdef float lookup_rate(const RatesC* rates, int32_t n_matched) noexcept nogil
