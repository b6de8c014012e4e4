"""Counters and latency histograms, kept by the step thread and read by anyone.

Every field is a machine word with one writer, so readers take no lock; two fields may be of
neighbouring steps.
"""
from .types cimport (
    FINISH_CANCELLED,
    FINISH_DEADLINE,
    FINISH_EOG,
    FINISH_ERROR,
    FINISH_LENGTH,
    FINISH_NO_TOKEN,
    FINISH_STOP,
    MAX_DRAFT,
)

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
          25.0, 50.0, 100.0, 250.0)
"""Upper bounds of the histograms' buckets, in seconds; one more bucket holds what is above."""

cdef int64_t bounds_ns[N_BOUNDS]
for i, bound in enumerate(BOUNDS):
    bounds_ns[i] = int(bound * 1e9)


cdef void histogram_observe(HistogramC* histogram, int64_t ns) noexcept nogil:
    cdef int i = 0
    while i < N_BOUNDS and ns > bounds_ns[i]:
        i += 1
    histogram.counts[i] += 1
    histogram.total_ns += ns


cdef dict stats_dict(StatsC* stats):
    """The statistics with times in seconds; a histogram is (bounds, counts, sum)."""
    return {
        "n_steps": stats.n_steps,
        "n_wakeups": stats.n_wakeups,
        "n_prompt_tokens": stats.n_prompt_tokens,
        "n_cached_tokens": stats.n_cached_tokens,
        "n_output_tokens": stats.n_output_tokens,
        "prefill_seconds": stats.prefill_ns / 1e9,
        "decode_seconds": stats.decode_ns / 1e9,
        "forward_seconds": stats.forward_ns / 1e9,
        "n_sleeps": stats.n_sleeps,
        "n_preempted": stats.n_preempted,
        "n_shifts": stats.n_shifts,
        "n_drafted": stats.n_drafted,
        "n_draft_accepted": stats.n_draft_accepted,
        "n_accepted_at": tuple([stats.n_accepted_at[i] for i in range(MAX_DRAFT)]),
        "n_requests": {
            "eog": stats.n_finished[<int> FINISH_EOG],
            "stop": stats.n_finished[<int> FINISH_STOP],
            "length": stats.n_finished[<int> FINISH_LENGTH],
            "cancelled": stats.n_finished[<int> FINISH_CANCELLED],
            "deadline": stats.n_finished[<int> FINISH_DEADLINE],
            "error": stats.n_finished[<int> FINISH_ERROR],
            "no_token": stats.n_finished[<int> FINISH_NO_TOKEN],
        },
        "n_running": stats.n_running,
        "n_waiting": stats.n_waiting,
        "n_throttled": stats.n_throttled,
        "n_cells_used": stats.n_cells_used,
        "n_checkpoints": stats.n_checkpoints,
        "n_checkpoint_bytes": stats.n_checkpoint_bytes,
        "queue_time": histogram_tuple(&stats.queue_time),
        "first_token": histogram_tuple(&stats.first_token),
        "inter_token": histogram_tuple(&stats.inter_token),
    }


cdef tuple histogram_tuple(HistogramC* histogram):
    counts = tuple([histogram.counts[i] for i in range(N_BOUNDS + 1)])
    return BOUNDS, counts, histogram.total_ns / 1e9
