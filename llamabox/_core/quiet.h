/* A flag that each thread has for itself. */
#if defined(_MSC_VER)
static __declspec(thread) int thread_is_quiet;
#else
static __thread int thread_is_quiet;
#endif
