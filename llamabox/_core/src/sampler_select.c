/* One pass over the logits in blocks: a block is looked into only if a vector comparison finds
 * something in it above the threshold, which after the first few blocks is rare.
 *
 * Built for the baseline of the platform and, where the toolchain can choose at load time, for
 * wider vector units too.
 */
#include "sampler_select.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

/* Vectors as wide as the baseline's registers: wider ones are taken apart into scalars. */
enum { LANES = 4, VECTORS = 16, BLOCK = LANES * VECTORS };

typedef float floats __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t masks __attribute__((vector_size(LANES * sizeof(int32_t))));

/* Whether any of x[0..BLOCK) is above (or, with `or_equal`, at) the threshold. */
static inline __attribute__((always_inline)) int any_above(const float *x, float threshold,
                                                           int or_equal) {
    masks above = {0};
    for (int v = 0; v < VECTORS; v++) {
        floats values;
        memcpy(&values, x + v * LANES, sizeof values);
        above |= or_equal ? values >= threshold : values > threshold;
    }
    int64_t halves[sizeof above / sizeof(int64_t)];
    memcpy(halves, &above, sizeof above);
    int64_t any = 0;
    for (unsigned i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        any |= halves[i];
    }
    return any != 0;
}

DISPATCHED int32_t select_best(const float *x, int32_t n) {
    int32_t best = -1;
    float top = -INFINITY;
    for (int32_t i = 0; i < n; i += BLOCK) {
        int32_t end = i + BLOCK;
        if (end > n) {
            end = n;
        } else if (!any_above(x + i, top, 0)) {
            continue;
        }
        for (int32_t j = i; j < end; j++) {
            if (x[j] > top) {
                top = x[j];
                best = j;
            }
        }
    }
    return best;
}

static inline void swap(candidate_t *a, candidate_t *b) {
    candidate_t t = *a;
    *a = *b;
    *b = t;
}

/* Reorder so that the k largest come first (Hoare's selection); returns the k-th largest logit. */
static float keep_largest(candidate_t *c, int32_t n, int32_t k) {
    int32_t lo = 0, hi = n - 1;
    while (lo < hi) {
        float pivot = c[lo + (hi - lo) / 2].logit;
        int32_t i = lo, j = hi;
        while (i <= j) {
            while (c[i].logit > pivot) i++;
            while (c[j].logit < pivot) j--;
            if (i <= j) swap(&c[i++], &c[j--]);
        }
        if (k - 1 <= j) {
            hi = j;
        } else if (k - 1 >= i) {
            lo = i;
        } else {
            break;
        }
    }
    return c[k - 1].logit;
}

int32_t select_top_k_capacity(int32_t k, int32_t n) {
    int64_t capacity = 2 * (int64_t) k + 2 * BLOCK;
    return capacity < n ? (int32_t) capacity : n;
}

DISPATCHED int32_t select_top_k(const float *x, int32_t n, int32_t k, candidate_t *out) {
    int32_t capacity = select_top_k_capacity(k, n), count = 0;
    float threshold = -INFINITY;
    for (int32_t i = 0; i < n; i += BLOCK) {
        int32_t end = i + BLOCK;
        if (end > n) {
            end = n;
        } else if (!any_above(x + i, threshold, 0)) {
            continue;
        }
        if (count + (end - i) > capacity) {
            threshold = keep_largest(out, count, k);
            count = k;
        }
        for (int32_t j = i; j < end; j++) {
            if (x[j] > threshold) {
                out[count++] = (candidate_t){j, x[j], 0.0f};
            }
        }
    }
    return count;
}

DISPATCHED int32_t select_at_least(const float *x, int32_t n, float threshold, candidate_t *out) {
    int32_t count = 0;
    for (int32_t i = 0; i < n; i += BLOCK) {
        int32_t end = i + BLOCK;
        if (end > n) {
            end = n;
        } else if (!any_above(x + i, threshold, 1)) {
            continue;
        }
        for (int32_t j = i; j < end; j++) {
            if (x[j] >= threshold) {
                out[count++] = (candidate_t){j, x[j], 0.0f};
            }
        }
    }
    return count;
}
