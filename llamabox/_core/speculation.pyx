"""Drafts: tokens that a slot's next rows are computed for before it is known whether they come.

A step gives a slot that decodes `1 + n_draft` rows. Each of them is sampled as if it were alone, so
a draft changes how many forwards an output takes, and nothing else.

Lookup drafts what followed the last tokens earlier (`ngram`), a `Drafter` where that finds nothing
or is less to be trusted, and `Lengths` says how much of it is worth its rows.
"""
from libc.stdlib cimport calloc, free

from .costs cimport Costs
from .lengths cimport lookup_rate
from .llama cimport llama_token
from .ngram cimport ngram_draft, ngram_init, ngram_push
from .request cimport history, n_draftable, n_history, request_draft
from .slots cimport is_decoding
from .sync cimport now_ns
from .types cimport MAX_DRAFT

# Tokens of prompts that are indexed in a step, all together: at least, and where nobody decodes.
cdef int32_t N_INDEXED = 256
cdef int32_t N_INDEXED_IDLE = 4096
# Share of a step that decodes which more of them may take, and nanoseconds of a token.
cdef double INDEX_SHARE = 0.05
cdef double INDEX_NS = 150
# Output tokens that an index has room for at once, beside the prompt.
cdef int32_t N_ROOM = 1024
# Tokens of a model's draft that is made to see how it does.
cdef int32_t N_PROBED = 3


cdef class Speculation:
    """Drafting for the slots of one scheduler.

    :param slots: drafts are written into their requests.
    :param n_rows: rows that the drafts of a step take at most; 0 for no drafts at all.
    :param ngram_min: tokens of the shortest match of lookup; 0 for none.
    :param is_partitioned: see `Lengths`.
    :param drafter: None for lookup alone.
    """

    def __cinit__(self, Slots slots not None, int32_t n_rows, int32_t ngram_min,
                  bint is_partitioned, Drafter drafter=None):
        self.slots = slots
        self.n_rows = n_rows
        self.ngram_min = ngram_min
        self.drafter = drafter
        self.lengths = Lengths(Costs(slots.n_slots + n_rows), n_rows, is_partitioned)
        self.offers = <OfferC*> calloc(slots.n_slots, sizeof(OfferC))
        if self.offers == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.offers)

    cdef void draft(self, int64_t spare_ns) noexcept nogil:
        """Draft for the slots that decode.

        :param spare_ns: what the step may be kept waiting for a drafter to follow prompts.
        """
        cdef int64_t started, t_drafter
        cdef int32_t i
        cdef double depth_ns = 0
        cdef bint is_probing = True
        if self.n_rows == 0:
            return
        started = now_ns()
        self.gather()
        if self.drafter is not None:
            depth_ns = self.drafter.depth_ns
        self.lengths.choose(self.offers, self.n_offers, self.n_decode, depth_ns)
        for i in range(self.n_offers):
            self.take(&self.offers[i])
            is_probing = is_probing and (self.offers[i].n == 0 or self.offers[i].n_matched > 0)
        if self.drafter is not None:
            t_drafter = now_ns()
            self.drafter.draft(self.slots, spare_ns)
            self.drop_short()
            self.count_failures()
            self.lengths.charge(now_ns() - t_drafter)
            if not is_probing:
                self.drafter.n_unwanted = 0
            elif self.n_decode > 0:
                self.drafter.n_unwanted += 1
        self.is_paused = False
        self.draft_ns = now_ns() - started

    cdef void gather(self) noexcept nogil:
        """Index what is new, and say what could be drafted; earlier drafts are gone."""
        cdef int32_t i
        cdef SlotC* slot
        self.n_offers = self.n_decode = 0
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            slot.n_wanted = 0
            self.n_decode += (is_decoding(slot) and slot.request.n_allowed > 0
                              and not slot.waits_turn)
        self.n_to_index = self.n_indexable()
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request == NULL or slot.request.n_draft_max == 0:
                continue
            slot.request.n_draft = 0
            self.index(slot.request)
            if is_decoding(slot) and not self.is_paused and not slot.waits_turn:
                self.offer(i)

    cdef int32_t n_indexable(self) noexcept nogil:
        """Tokens of prompts that may be indexed before a step."""
        if self.n_decode == 0:
            return N_INDEXED_IDLE
        return max(N_INDEXED, min(N_INDEXED_IDLE, <int32_t> (
            INDEX_SHARE * self.lengths.costs.of(self.n_decode) / INDEX_NS)))

    cdef void index(self, RequestC* request) noexcept nogil:
        """Index the request's new tokens, or a slice of its prompt; learn from its output."""
        cdef int32_t i, n_matched, outcome, n = n_history(request)
        if request.rates.n_patience == 0:
            self.lengths.begin(&request.rates)
            if self.ngram_min > 0 and ngram_init(
                    &request.ngram, self.ngram_min, n + N_ROOM) < 0:
                request.ngram.n_min = 0
        if request.ngram.n_min == 0:
            return
        if n - request.ngram.n_indexed > 1 + MAX_DRAFT:
            n = min(n, request.ngram.n_indexed + self.n_to_index)
            self.n_to_index -= n - request.ngram.n_indexed
        for i in range(request.ngram.n_indexed, n):
            n_matched = request.ngram.n_matched
            outcome = ngram_push(&request.ngram, history(request))
            if outcome != 0 and i >= request.n_prompt:
                self.lengths.observe_lookup(&request.rates, n_matched, outcome > 0)

    cdef void offer(self, int32_t i_slot) noexcept nogil:
        """Say what could be drafted for a slot that decodes, if anything."""
        cdef RequestC* request = self.slots.slots[i_slot].request
        cdef int32_t n_matched = 0, n_most = n_draftable(request)
        cdef float first = 0
        if n_most == 0:
            return
        if request.ngram.n_min > 0 and request.ngram.n_indexed == n_history(request):
            n_matched = request.ngram.n_matched
        if n_matched > 0:
            first = lookup_rate(&request.rates, n_matched)
        if self.drafter is not None and self.lengths.may_pay() and (
                first < request.rates.model.value):
            n_matched = 0
            first = request.rates.model.value
        if first > 0:
            self.offers[self.n_offers] = OfferC(
                i_slot, n_most, request.n_draft_min, n_matched, first, &request.rates, 0, 0, 0, 0)
            self.n_offers += 1

    cdef void take(self, const OfferC* offer) noexcept nogil:
        """Draft what was chosen of an offer, or have it drafted."""
        cdef llama_token draft[MAX_DRAFT]
        cdef SlotC* slot = &self.slots.slots[offer.i_slot]
        cdef RequestC* request = slot.request
        if offer.n_matched == 0:
            slot.n_wanted = offer.n
            if self.lengths.wants_model(&request.rates, offer.n > 0) and offer.n == 0:
                slot.n_wanted = min(offer.n_most, max(offer.n_least, N_PROBED))
        elif offer.n > 0:
            ngram_draft(&request.ngram, history(request), draft, offer.n)
            request_draft(request, draft, offer.n)

    cdef void drop_short(self) noexcept nogil:
        """Drop the drafts that are shorter than their requests want them."""
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.request != NULL and slot.request.n_draft < slot.request.n_draft_min:
                slot.request.n_draft = 0

    cdef void pause(self) noexcept nogil:
        """Have no drafts in the next step."""
        self.is_paused = True

    cdef void count(self, SlotC* slot, int32_t n_draft) noexcept nogil:
        """Learn what became of a slot's draft of `n_draft` tokens."""
        cdef int32_t i, n_accepted = min(slot.n_accepted, slot.n_verified)
        slot.request.n_drafted += n_draft
        self.counters.n_drafted += n_draft
        self.counters.n_draft_accepted += n_accepted
        for i in range(n_accepted):
            self.counters.n_accepted_at[i] += 1
        if slot.n_wanted > 0:
            self.n_model_rows += n_draft
            self.n_model_tokens += n_accepted
            self.lengths.observe_model(
                &slot.request.rates, n_draft + (n_draft < slot.n_wanted), slot.n_accepted)

    cdef void count_failures(self) noexcept nogil:
        """Learn for which slots a model had nothing to say, or too little to be of use: the token
        that it has tried counts as one that did not come, as does that behind a short draft."""
        cdef int32_t i
        cdef SlotC* slot
        for i in range(self.slots.n_slots):
            slot = &self.slots.slots[i]
            if slot.n_wanted > 0 and slot.request.n_draft == 0:
                self.lengths.observe_model(&slot.request.rates, 1, 0)

    cdef int64_t learn(self, Plan plan, int64_t elapsed) noexcept nogil:
        """Learn what the step took; returns the nanoseconds that the drafts took of it, by what is
        known."""
        cdef double extra_ns = 0
        if self.n_rows == 0:
            return 0
        if plan.n_prefill == 0 and plan.is_one_computation():
            self.lengths.costs.observe(plan.n_decode + plan.n_draft, elapsed - self.draft_ns)
        if plan.n_draft > 0:
            extra_ns = (self.lengths.costs.of(plan.n_decode + plan.n_draft)
                        - self.lengths.costs.of(plan.n_decode))
        if self.drafter is not None and plan.n_decode > 0:
            self.settle_model(plan, extra_ns, elapsed)
        return self.draft_ns + <int64_t> extra_ns

    cdef void settle_model(self, Plan plan, double extra_ns, int64_t elapsed) noexcept nogil:
        """Count what the model's drafts of a step brought: their accepted tokens are as much less
        to compute; and what their rows took."""
        cdef double token_ns = self.lengths.costs.of(plan.n_decode) / plan.n_decode
        if plan.n_draft > 0:
            self.lengths.charge(extra_ns * self.n_model_rows / plan.n_draft)
        self.lengths.charge(-token_ns * self.n_model_tokens)
        self.lengths.allow(elapsed)
        self.n_model_rows = self.n_model_tokens = 0

    cdef void follow(self) noexcept nogil:
        """Let the drafter follow a forward."""
        if self.drafter is not None:
            self.drafter.follow(self.slots)

    cdef void leave(self, int32_t i_slot) noexcept nogil:
        """Forget a slot's request, which is about to leave it."""
        if self.drafter is not None:
            self.drafter.leave(i_slot, self.slots.slots[i_slot].request)

    cdef void check(self) noexcept nogil:
        """Invariants of the debug build."""
        if self.drafter is not None:
            self.drafter.check(self.slots)
