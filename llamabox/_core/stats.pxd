from libc.stdint cimport int64_t

from .types cimport MAX_DRAFT, N_FINISH

cdef enum:
    N_BOUNDS = 18


cdef struct HistogramC:
    int64_t counts[N_BOUNDS + 1]
    int64_t total_ns


cdef struct StatsC:
    int64_t n_steps
    int64_t n_wakeups
    int64_t n_prompt_tokens
    int64_t n_cached_tokens
    int64_t n_output_tokens
    int64_t prefill_ns
    int64_t decode_ns
    int64_t forward_ns
    int64_t n_sleeps
    int64_t n_preempted
    int64_t n_shifts
    int64_t n_drafted
    int64_t n_draft_accepted
    int64_t n_accepted_at[MAX_DRAFT]  # by position in the draft
    int64_t n_finished[N_FINISH]
    int n_running
    int n_waiting
    int n_throttled
    int n_cells_used
    int n_checkpoints
    int64_t n_checkpoint_bytes
    HistogramC queue_time
    HistogramC first_token
    HistogramC inter_token


cdef void histogram_observe(HistogramC* histogram, int64_t ns) noexcept nogil
cdef dict stats_dict(StatsC* stats)
