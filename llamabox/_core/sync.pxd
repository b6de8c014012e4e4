"""Mutex, condition, thread and clock for code that runs without the GIL."""
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_attr_t:
        pass
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attr)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_cond_init(pthread_cond_t* cond, void* attr)
    int pthread_cond_destroy(pthread_cond_t* cond)
    int pthread_cond_wait(pthread_cond_t* cond, pthread_mutex_t* mutex)
    int pthread_cond_timedwait(pthread_cond_t* cond, pthread_mutex_t* mutex,
                               const timespec* until)
    int pthread_cond_signal(pthread_cond_t* cond)
    int pthread_cond_broadcast(pthread_cond_t* cond)
    int pthread_attr_init(pthread_attr_t* attr)
    int pthread_attr_destroy(pthread_attr_t* attr)
    int pthread_attr_setstacksize(pthread_attr_t* attr, size_t n_bytes)
    int pthread_create(pthread_t* thread, const pthread_attr_t* attr,
                       void* (*start)(void*) noexcept nogil, void* arg)
    int pthread_join(pthread_t thread, void** result)

cdef extern from *:
    """
    #define llamabox_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define llamabox_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define llamabox_fetch_add(p, n) __atomic_fetch_add((p), (n), __ATOMIC_ACQ_REL)
    """
    int load_int "llamabox_load" (int* p) noexcept nogil
    void store_int "llamabox_store" (int* p, int value) noexcept nogil
    int fetch_add_int "llamabox_fetch_add" (int* p, int n) noexcept nogil


cdef extern from *:
    """
    #include <pthread.h>
    #include <time.h>

    static inline int llamabox_cond_init(pthread_cond_t* cond) {
    #ifdef __APPLE__
        return pthread_cond_init(cond, NULL);
    #else
        pthread_condattr_t attr;
        int result = pthread_condattr_init(&attr);
        if (result != 0) return result;
        result = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        if (result == 0) result = pthread_cond_init(cond, &attr);
        pthread_condattr_destroy(&attr);
        return result;
    #endif
    }

    static inline int llamabox_cond_wait_until(pthread_cond_t* cond, pthread_mutex_t* mutex,
                                        long long t_ns) {
    #ifdef __APPLE__
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        t_ns -= now.tv_sec * 1000000000LL + now.tv_nsec;
        if (t_ns < 0) t_ns = 0;
        struct timespec wait = {t_ns / 1000000000LL, t_ns % 1000000000LL};
        return pthread_cond_timedwait_relative_np(cond, mutex, &wait);
    #else
        struct timespec until = {t_ns / 1000000000LL, t_ns % 1000000000LL};
        return pthread_cond_timedwait(cond, mutex, &until);
    #endif
    }
    """
    # A condition whose timed waits are by the monotonic clock; 0, or an error's number.
    int cond_init "llamabox_cond_init" (pthread_cond_t* cond) noexcept nogil
    # 0, or an error's number: ETIMEDOUT once the clock is at `t_ns` nanoseconds.
    int cond_wait_until "llamabox_cond_wait_until" (
        pthread_cond_t* cond, pthread_mutex_t* mutex, int64_t t_ns) noexcept nogil


cdef inline int64_t now_ns() noexcept nogil:
    """The monotonic clock, in nanoseconds."""
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t> t.tv_sec * 1_000_000_000 + t.tv_nsec


cdef inline int64_t thread_ns() noexcept nogil:
    """Nanoseconds for which the calling thread has run."""
    cdef timespec t
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t)
    return <int64_t> t.tv_sec * 1_000_000_000 + t.tv_nsec
