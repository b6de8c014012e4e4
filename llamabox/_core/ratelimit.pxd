from libc.stdint cimport int32_t, int64_t


cdef struct BucketC:
    int64_t rate      # thousandths of a token per second, which is units per nanosecond
    int64_t level     # units; `UNITS` of them are a token
    int64_t limit     # up to which it fills, steps that take long aside
    int64_t tick      # nanoseconds, a power of two; see `t_due`
    int64_t t_refill  # nanoseconds, to which `level` belongs; 0: nothing was charged yet
    int64_t t_due     # a tick at which it has a token, or a past time
    int32_t n_wanting  # requests that want tokens in this step
    int32_t n_free     # tokens that nobody has been allotted in this step


cdef class Bucket:
    cdef BucketC c
    cdef object __weakref__


cdef int64_t rate_of(double tokens_per_second)
cdef void bucket_set_rate(BucketC* bucket, int64_t rate, int64_t now) noexcept nogil
cdef void bucket_refill(BucketC* bucket, int64_t now, int64_t busy_ns) noexcept nogil
cdef void bucket_charge(BucketC* bucket, int32_t n_tokens, int64_t now) noexcept nogil


cdef int32_t bucket_tokens(const BucketC* bucket) noexcept nogil
