/* Functions that are built for the baseline of the platform and, where the toolchain can choose
 * at load time, for wider vector units too. Their loops are plain C that GCC and clang vectorise:
 * arm64 has its vector unit in the baseline, and needs no choice. */
#ifndef LLAMABOX_SAMPLER_DISPATCH_H
#define LLAMABOX_SAMPLER_DISPATCH_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

#if defined(_MSC_VER)
#define INLINED static __forceinline
#else
#define INLINED static inline __attribute__((always_inline))
#endif

#endif
