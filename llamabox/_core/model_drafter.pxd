from libc.stdint cimport int32_t, int64_t

from .batch cimport Batch
from .context cimport Context
from .drafter cimport Drafter
from .llama cimport llama_token
from .pool cimport Pool
from .request cimport RequestC
from .slots cimport SlotC, Slots
from .vocab cimport Vocab


cdef struct TailC:
    int32_t i_sequence    # of the draft context that follows the slot's request, or -1
    int32_t n_discarded   # by the request's shifts, when its cells were booked
    int32_t n_loose       # cells behind the booked ones: of guesses, which may turn out wrong
    int32_t n_guessed     # tokens, in `guesses`, behind those that were known
    int32_t n_rows        # in the current batch
    int32_t i_row         # the last of them if its logits are read, else -1
    bint is_guessing      # the request gets tokens from the current batch
    bint was_tried        # it was in the current draft, whatever came of that
    int64_t off           # `arrival` of a request that is not drafted for any more


cdef class ModelDrafter(Drafter):
    cdef readonly Context context
    cdef readonly Pool pool
    cdef readonly Batch batch
    cdef readonly Vocab vocab
    cdef readonly int32_t n_offered   # tokens that both models have
    cdef readonly int32_t n_readable  # tokens that the draft model has
    cdef readonly int32_t n_slots
    cdef readonly int64_t n_forwards
    cdef readonly int64_t n_rows      # of all forwards
    cdef readonly double row_ns       # of a prompt that is followed, smoothed
    cdef int64_t n_loose              # of all slots
    cdef int32_t n_guessing           # slots that got a token from the current batch, or tried
    cdef TailC* tails                 # [n_slots]
    cdef int32_t* order               # [n_slots]: those that are followed, by their sequences
    cdef int32_t n_ordered
    cdef llama_token* guesses         # [n_slots, MAX_DRAFT]

    cdef void gather(self, Slots slots) noexcept nogil
    cdef bint is_wanted(self, const SlotC* slot) noexcept nogil
    cdef bint begin(self, int32_t i_slot, const SlotC* slot) noexcept nogil
    cdef void reconcile(self, int32_t i_slot, const RequestC* request) noexcept nogil
    cdef int32_t chunk(self, Slots slots, int64_t spare_ns) noexcept nogil
    cdef void catch_up(self, Slots slots, int32_t budget) noexcept nogil
    cdef int32_t n_missing(self, int32_t i_slot, const SlotC* slot) noexcept nogil
    cdef void add(self, int32_t i_slot, const SlotC* slot, int32_t n) noexcept nogil
    cdef bint forward(self, Slots slots) noexcept nogil
    cdef void give_up(self, Slots slots) noexcept nogil
    cdef void book(self, Slots slots) noexcept nogil
    cdef void loosen(self) noexcept nogil
    cdef void observe(self, int64_t elapsed) noexcept nogil
    cdef void guess(self, Slots slots) noexcept nogil
    cdef bint guess_one(self, int32_t i_slot, const SlotC* slot) noexcept nogil
    cdef void add_guesses(self, Slots slots) noexcept nogil
    cdef int64_t n_room(self) noexcept nogil
    cdef void drop(self, int32_t i_slot) noexcept nogil
