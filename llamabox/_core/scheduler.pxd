from libc.stdint cimport int32_t, int64_t

from .admission cimport Admission
from .backend cimport Backend
from .batch cimport Batch
from .context cimport Context
from .inbox cimport InboxC
from .output cimport Output
from .plan cimport Plan
from .pool cimport Pool
from .request cimport RequestC
from .slots cimport SlotC, Slots
from .speculation cimport Speculation
from .stats cimport StatsC
from .throttle cimport Throttle
from .tier cimport Tier
from .turns cimport Turns
from .waiting cimport WaitingC


cdef class Scheduler:
    cdef readonly Context context
    cdef readonly Slots slots
    cdef readonly Pool pool
    cdef readonly Throttle throttle
    cdef readonly Speculation speculation
    cdef readonly Turns turns
    cdef readonly Plan plan
    cdef readonly Batch batch
    cdef readonly Admission admission
    cdef readonly Backend backend
    cdef readonly Output output
    cdef readonly Tier tier           # None: evicted prefixes are gone
    cdef InboxC inbox
    cdef WaitingC waiting
    cdef StatsC counters
    cdef int64_t n_arrived
    cdef int32_t n_prompt_rows        # of the current batch
    cdef int64_t t_scan               # nanoseconds; when the queue is searched next
    cdef int64_t t_wake               # until when nothing can be done unless something arrives

    cdef void loop(self) noexcept nogil
    cdef bint receive(self) noexcept nogil
    cdef void enter(self, RequestC* request) noexcept nogil
    cdef void step(self) noexcept nogil
    cdef bint compute(self, int64_t t_start) noexcept nogil
    cdef int64_t next_chance(self, int64_t now) noexcept nogil
    cdef void end_early(self, int64_t now) noexcept nogil
    cdef void admit(self) noexcept nogil
    cdef void begin(self, int32_t i_slot) noexcept nogil
    cdef void join_leaders(self) noexcept nogil
    cdef void mark_started(self, RequestC* request) noexcept nogil
    cdef void choose_rows(self) noexcept nogil
    cdef void shift_full(self) noexcept nogil
    cdef void fill_batch(self) noexcept nogil
    cdef void fill(self, int32_t i_slot) noexcept nogil
    cdef void leave(self, int32_t i_slot) noexcept nogil
    cdef void preempt(self, int32_t i_slot) noexcept nogil
    cdef bint forward(self) noexcept nogil
    cdef void recover(self, int32_t code) noexcept nogil
    cdef void settle(self, int64_t t_start) noexcept nogil
    cdef int32_t book(self, SlotC* slot, int64_t now) noexcept nogil
    cdef void drop_rejected(self, SlotC* slot) noexcept nogil
    cdef void account(self, int64_t elapsed) noexcept nogil
    cdef void finish(self, RequestC* request, int32_t reason) noexcept nogil
    cdef void publish(self) noexcept nogil
    cdef void set_gauges(self) noexcept nogil
    cdef void finish_all(self) noexcept nogil
    cdef void check(self) noexcept nogil
