"""How many tokens to draft for each slot of a step, down to none.

A draft is worth what it brings: a token more with the probability that it is accepted, for the
cost of a row more, which all slots wait for. Both are measured. Each row goes where it raises a
slot's rate most; of all numbers of rows, the one is taken with the highest geometric mean of the
rates of all slots that decode. That makes more tokens in a unit of time, too, and weighs what one
slot gains against what all others lose.

Whether lookup predicts a request's tokens is seen whether or not they were drafted: each output
token is compared with what the match before it says. So a request that does not repeat itself costs
no rows to find that out, and one that begins to is drafted for within a few tokens. How often
predictions come true depends most on how long the match is, so it is learned by classes of lengths;
behind each token that came, the match is one longer. A model's drafts are known once they are made:
where they fail, it is tried more and more rarely.
"""
from libc.math cimport log
from libc.stdlib cimport calloc, free

# Predictions that the expectation for a new request counts as, and the least that one more changes.
cdef int32_t N_PRIOR = 3
# The same of a model, which is as good for one request as for another, nearly.
cdef int32_t N_MODEL_PRIOR = 16
cdef float LEAST_CHANGE = 0.06
# Of a request's outcome, in what is expected of new ones.
cdef float PRIOR_CHANGE = 0.01
# Expected of matches of 1, 2, 3, 4, 5 to 6, 7 to 8, 9 to 15 and more tokens, and of a model.
FIRST_RATES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
cdef float FIRST_MODEL_RATE = 0.6
# Of the mean rate, that drafts have to gain: less is not told from noise.
cdef double LEAST_GAIN = 1.03
# A token that is less probable is not drafted.
cdef double LEAST_MARGIN = 0.02
# Steps of a request, and of all requests together, between two drafts of a model that are made to
# see how it does.
cdef int32_t LEAST_PATIENCE = 8
cdef int32_t MOST_PATIENCE = 256
# Share of the time that a model may take beyond what its drafts bring, and nanoseconds of what they
# bring that are kept for when they bring nothing.
cdef double ALLOWANCE = 0.02
cdef double MOST_CREDIT = 50e6
# Every so many steps with drafts, a shorter one of unknown cost is tried: tiles of four are common.
cdef int32_t N_BETWEEN_TRIALS = 8
cdef int32_t N_TILE = 4


cdef class Lengths:
    """The choice for the slots of one scheduler.

    :param costs: of forwards by their rows.
    :param n_rows: of all drafts of a step, at most.
    :param is_partitioned: llama.cpp computes rows of several sequences at once only if each has
        as many as the others.
    """

    def __cinit__(self, Costs costs not None, int32_t n_rows, bint is_partitioned=False):
        cdef int32_t i
        self.costs = costs
        self.n_rows = n_rows
        self.is_partitioned = is_partitioned
        self.n_until_trial = N_BETWEEN_TRIALS
        self.balance_ns = MOST_CREDIT
        for i in range(N_CLASSES):
            self.prior.lookup[i] = RateC(FIRST_RATES[i], N_PRIOR)
        self.prior.model = RateC(FIRST_MODEL_RATE, N_MODEL_PRIOR)
        self.prior.n_idle = 0
        self.prior.n_patience = self.n_patience = LEAST_PATIENCE
        self.picks = <int32_t*> calloc(n_rows + 1, sizeof(int32_t))
        if self.picks == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.picks)

    cdef void begin(self, RatesC* rates) noexcept nogil:
        """Expect of a new request what others did."""
        rates[0] = self.prior

    cdef void observe_lookup(self, RatesC* rates, int32_t n_matched, bint came) noexcept nogil:
        """Learn whether the token came that a match of `n_matched` tokens predicted."""
        cdef int32_t i = class_of(n_matched)
        observe(&rates.lookup[i], came, LEAST_CHANGE)
        self.prior.lookup[i].value += PRIOR_CHANGE * (came - self.prior.lookup[i].value)

    cdef void observe_model(self, RatesC* rates, int32_t n_drafted,
                            int32_t n_accepted) noexcept nogil:
        """Learn how many tokens of a model's draft were accepted."""
        cdef int32_t i
        for i in range(min(n_accepted + 1, n_drafted)):
            observe(&rates.model, i < n_accepted, LEAST_CHANGE)
            self.prior.model.value += PRIOR_CHANGE * ((i < n_accepted) - self.prior.model.value)
        rates.n_idle = self.n_idle = 0
        rates.n_patience = min(2 * rates.n_patience, MOST_PATIENCE)
        self.n_patience = min(2 * self.n_patience, MOST_PATIENCE)

    cdef bint wants_model(self, RatesC* rates, bint is_chosen) noexcept nogil:
        """Whether a model's draft is worth its cost, or it is time to see how it does: the longer
        none was worth it, for this request or for any, the more rarely; and never so often that it
        would be felt."""
        if is_chosen:
            rates.n_patience = self.n_patience = LEAST_PATIENCE
            return True
        rates.n_idle += 1
        self.n_idle += 1
        return (rates.n_idle >= rates.n_patience and self.n_idle >= self.n_patience
                and self.may_pay())

    cdef bint may_pay(self) noexcept nogil:
        """Whether drafts of a model have brought what they took, nearly; with fixed costs nobody
        knows."""
        return self.costs.is_fixed or self.balance_ns > 0

    cdef void charge(self, double ns) noexcept nogil:
        """Count time that a model's drafts took, or with a negative one brought."""
        self.balance_ns = min(self.balance_ns - ns, MOST_CREDIT)

    cdef void allow(self, int64_t elapsed) noexcept nogil:
        """Count a step."""
        self.charge(-ALLOWANCE * elapsed)

    cdef void choose(self, OfferC* offers, int32_t n_offers, int32_t n_decode,
                     double depth_ns) noexcept nogil:
        """Set how many tokens each offer is taken for.

        :param n_decode: slots that decode, each of which gives a token in any case.
        :param depth_ns: nanoseconds of a model's token, for all slots that it drafts for together.
        """
        cdef int32_t i, n_even
        cdef double gain, least = n_decode * log(LEAST_GAIN)
        for i in range(n_offers):
            offers[i].n = 0
        if n_offers == 0 or not self.costs.is_known(n_decode):
            return
        gain = self.take_best(offers, n_offers, n_decode, depth_ns, least)
        if self.is_partitioned and n_offers == n_decode > 1:
            n_even = self.best_even(offers, n_offers, depth_ns, max(gain, least))
            if n_even > 0:
                for i in range(n_offers):
                    offers[i].n = n_even
        for i in range(n_offers):
            if offers[i].n < offers[i].n_least:
                offers[i].n = 0

    cdef double take_best(self, OfferC* offers, int32_t n_offers, int32_t n_decode,
                          double depth_ns, double least) noexcept nogil:
        """Take the tokens that raise rates most, as many of them as gain most, if that is `least`;
        returns what they gain, or 0: the logarithms of the factors of all rates, added up. The
        first `n_least` of an offer are taken together."""
        cdef int32_t i, _, n = 0, n_best = 0, depth = 0
        cdef double gain, more_tokens = 0, best = least, split_ns = 0
        cdef OfferC* offer
        for i in range(n_offers):
            rewind(&offers[i])
        while True:
            i = most_wanted(offers, n_offers, self.n_rows - n)
            if i < 0:
                break
            offer = &offers[i]
            if offer.n_trial > 0:
                split_ns -= self.costs.of(offer.n_trial)
            for _ in range(n_next(offer)):
                more_tokens += extend(offer)
                self.picks[n] = i
                n += 1
            split_ns += self.costs.of(offer.n_trial)
            if offer.n_matched == 0:
                depth = max(depth, offer.n_trial)
            gain = more_tokens - n_decode * log(
                (depth * depth_ns + self.forward_ns(n_decode, n, split_ns))
                / self.costs.of(n_decode))
            if gain >= best:
                best = gain
                n_best = n
        n_best = self.try_fewer(n_decode, n_best)
        for i in range(n_best):
            offers[self.picks[i]].n += 1
        return best if n_best > 0 else 0

    cdef double forward_ns(self, int32_t n_decode, int32_t n, double split_ns) noexcept nogil:
        """Nanoseconds of a forward with `n` rows of drafts; `split_ns` if each of these is a
        computation of its own."""
        if self.is_partitioned and n_decode > 1:
            return self.costs.of(n_decode) + split_ns
        return self.costs.of(n_decode + n)

    cdef int32_t best_even(self, OfferC* offers, int32_t n_offers, double depth_ns,
                           double least) noexcept nogil:
        """The number of tokens for all slots alike that gains most, if that is `least`; or 0."""
        cdef int32_t i, n, n_least = 1, n_best = 0, n_most = self.n_rows // n_offers
        cdef double gain, more_tokens = 0, best = least
        cdef bint has_model = False
        for i in range(n_offers):
            rewind(&offers[i])
            n_most = min(n_most, offers[i].n_most)
            n_least = max(n_least, offers[i].n_least)
            has_model = has_model or offers[i].n_matched == 0
        for n in range(1, n_most + 1):
            for i in range(n_offers):
                more_tokens += extend(&offers[i])
            gain = more_tokens - n_offers * log(
                (has_model * n * depth_ns + self.costs.of(n_offers * (1 + n)))
                / self.costs.of(n_offers))
            if n >= n_least and gain >= best:
                best = gain
                n_best = n
        return n_best

    cdef int32_t try_fewer(self, int32_t n_decode, int32_t n) noexcept nogil:
        """Now and then, a little fewer than `n` rows of drafts, if nobody knows what those cost."""
        cdef int32_t i
        if n == 0 or self.is_partitioned:
            return n
        self.n_until_trial -= 1
        if self.n_until_trial > 0:
            return n
        self.n_until_trial = N_BETWEEN_TRIALS
        for i in range(max(1, n + 1 - N_TILE), n):
            if not self.costs.is_known(n_decode + i):
                return i
        return n

    def chosen(self, histories, *, int32_t n_decode, int32_t n_most, int32_t n_matched=4,
               int32_t n_least=0, double depth_ns=0):
        """What `choose` takes of one offer for each of `histories`, for tests.

        :param histories: of each request, whether the predictions came: of lookup with matches of
            all lengths, or of a model if `n_matched` is 0.
        """
        cdef int32_t i, n, n_offers = <int32_t> len(histories)
        cdef RatesC* rates = <RatesC*> calloc(n_offers, sizeof(RatesC))
        cdef OfferC* offers = <OfferC*> calloc(n_offers, sizeof(OfferC))
        try:
            if rates == NULL or offers == NULL:
                raise MemoryError
            for i in range(n_offers):
                self.begin(&rates[i])
                for came in histories[i]:
                    for n in range(1, 17):
                        self.observe_lookup(&rates[i], n, came)
                    self.observe_model(&rates[i], 1, came)
                offers[i] = OfferC(i, n_most, n_least, n_matched, rates[i].model.value, &rates[i],
                                   0, 0, 0, 0)
                if n_matched > 0:
                    offers[i].first = lookup_rate(&rates[i], n_matched)
            self.choose(offers, n_offers, n_decode, depth_ns)
            return [offers[i].n for i in range(n_offers)]
        finally:
            free(rates)
            free(offers)


cdef float lookup_rate(const RatesC* rates, int32_t n_matched) noexcept nogil:
    """Probability of the token that a match of so many tokens predicts."""
    return rates.lookup[class_of(n_matched)].value


cdef int32_t class_of(int32_t n_matched) noexcept nogil:
    if n_matched <= 4:
        return n_matched - 1
    if n_matched <= 8:
        return 4 + (n_matched - 5) // 2
    return 6 if n_matched < 16 else 7


cdef void observe(RateC* rate, bint came, float least_change) noexcept nogil:
    rate.n += 1
    rate.value += max(least_change, <float> 1.0 / rate.n) * (came - rate.value)


cdef void rewind(OfferC* offer) noexcept nogil:
    """Begin with no token of an offer."""
    offer.n_trial = 0
    offer.margin = offer.first
    offer.n_tokens = 1


cdef int32_t n_next(const OfferC* offer) noexcept nogil:
    """How many tokens of an offer come next."""
    return max(1, offer.n_least) if offer.n_trial == 0 else 1


cdef int32_t most_wanted(const OfferC* offers, int32_t n_offers, int32_t n_left) noexcept nogil:
    """The offer whose next token raises a rate most, of those with no more than `n_left` next; -1
    if none is worth a row."""
    cdef int32_t i, best = -1
    cdef double rise, most = 0
    for i in range(n_offers):
        rise = offers[i].margin / offers[i].n_tokens
        if (rise > most and offers[i].margin > LEAST_MARGIN
                and offers[i].n_trial + n_next(&offers[i]) <= offers[i].n_most
                and n_next(&offers[i]) <= n_left):
            best = i
            most = rise
    return best


cdef double extend(OfferC* offer) noexcept nogil:
    """Go on to the next token of an offer; returns the logarithm of what that makes of its slot's
    tokens."""
    cdef double factor = 1 + offer.margin / offer.n_tokens
    offer.n_tokens += offer.margin
    offer.n_trial += 1
    if offer.n_matched > 0:
        offer.margin *= lookup_rate(offer.rates, offer.n_matched + offer.n_trial)
    else:
        offer.margin *= offer.rates.model.value
    return log(factor)
