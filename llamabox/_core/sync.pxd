"""Mutex, condition, thread and clock for code that runs without the GIL."""
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

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


cdef inline int64_t now_ns() noexcept nogil:
    """The monotonic clock, in nanoseconds."""
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t> t.tv_sec * 1_000_000_000 + t.tv_nsec
