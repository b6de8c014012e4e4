/* One pass over the logits in blocks: a block is looked into only if a comparison of all of it,
 * which compilers vectorise, finds something above the threshold. After the first few blocks that
 * is rare.
 */
#include "sampler_select.h"

#include <math.h>
#include <string.h>

#include "sampler_dispatch.h"

enum {
    BLOCK = 256,
    PART = 32,           /* of a block; what is scanned one by one */
    LANES = 32,
    MAX_GROUPS = 4096,
    CROWD = 256,         /* candidates that are cheap to sort */
    HEAP_LIMIT = 128,    /* up to this k llama.cpp's top_k is a heap selection */
    N_BUCKETS = 128      /* above it, it sorts by buckets of the logit */
};
static const float BUCKET_LOW = -10.0f, BUCKET_HIGH = 10.0f;
static const float BUCKET_MARGIN = 1e-3f;

INLINED int any_above(const float *x, int32_t n, float threshold) {
    int any = 0;
    for (int32_t i = 0; i < n; i++) {
        any |= x[i] > threshold;
    }
    return any;
}

INLINED int any_at_least(const float *x, int32_t n, float threshold) {
    int any = 0;
    for (int32_t i = 0; i < n; i++) {
        any |= x[i] >= threshold;
    }
    return any;
}

/* The next part of x[i..n) that may hold something above the threshold: its start, or n. */
INLINED int32_t next_above(const float *x, int32_t i, int32_t n, float threshold) {
    while (n - i >= BLOCK && !any_above(x + i, BLOCK, threshold)) i += BLOCK;
    while (n - i >= PART && !any_above(x + i, PART, threshold)) i += PART;
    return i;
}

DISPATCHED int32_t select_best(const float *x, int32_t n) {
    int32_t best = -1;
    float top = -INFINITY;
    for (int32_t i = next_above(x, 0, n, top); i < n; i = next_above(x, i, n, top)) {
        int32_t end = n - i < PART ? n : i + PART;
        for (; i < end; i++) {
            if (x[i] > top) {
                top = x[i];
                best = i;
            }
        }
    }
    return best;
}

INLINED void swap(float *a, float *b) {
    float t = *a;
    *a = *b;
    *b = t;
}

/* Reorder so that the k largest come first (Hoare's selection); returns the k-th largest. */
static float partition(float *x, int32_t n, int32_t k) {
    int32_t lo = 0, hi = n - 1;
    while (lo < hi) {
        float pivot = x[lo + (hi - lo) / 2];
        int32_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] > pivot) i++;
            while (x[j] < pivot) j--;
            if (i <= j) swap(&x[i++], &x[j--]);
        }
        if (k - 1 <= j) {
            hi = j;
        } else if (k - 1 >= i) {
            lo = i;
        } else {
            break;
        }
    }
    return x[k - 1];
}

/* Let `value` sink from the root of a heap of k, the least of which is on top. */
static void heap_replace(float *heap, int32_t k, float value) {
    int32_t i = 0;
    for (int32_t child = 1; child < k; child = 2 * i + 1) {
        if (child + 1 < k && heap[child + 1] < heap[child]) child++;
        if (!(heap[child] < value)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = value;
}

static void heap_append(float *heap, int32_t k, float value) {
    int32_t i = k;
    for (; i > 0 && value < heap[(i - 1) / 2]; i = (i - 1) / 2) {
        heap[i] = heap[(i - 1) / 2];
    }
    heap[i] = value;
}

/* A heap selection starts with the first k and then takes whatever is above the least of the k
 * best so far. The others never touch its heap, so it does the same without them. */
INLINED int32_t select_heap(const float *x, int32_t n, int32_t k, candidate_t *out) {
    float heap[HEAP_LIMIT] = {0};
    int32_t i = 0, count = 0;
    for (; i < n && count < k; i++) {
        if (isnan(x[i])) continue;
        out[count] = (candidate_t){i, x[i], 0.0f};
        heap_append(heap, count++, x[i]);
    }
    for (i = next_above(x, i, n, heap[0]); i < n; i = next_above(x, i, n, heap[0])) {
        int32_t end = n - i < PART ? n : i + PART;
        for (; i < end; i++) {
            if (x[i] > heap[0]) {
                out[count++] = (candidate_t){i, x[i], 0.0f};
                heap_replace(heap, k, x[i]);
            }
        }
    }
    return count;
}

/* The largest of each group of x, n_groups * steps of it. A group is every LANES-th element of a
 * stretch, so that a stretch needs no comparison across lanes. */
INLINED void group_tops(const float *x, int32_t steps, int32_t n_groups, float *tops) {
    for (int32_t g = 0; g < n_groups; g += LANES, x += (int64_t)steps * LANES) {
        float top[LANES];
        for (int32_t lane = 0; lane < LANES; lane++) top[lane] = -INFINITY;
        for (int32_t s = 0; s < steps; s++) {
            const float *row = x + (int64_t)s * LANES;
            for (int32_t lane = 0; lane < LANES; lane++) {
                top[lane] = row[lane] > top[lane] ? row[lane] : top[lane];
            }
        }
        for (int32_t lane = 0; lane < LANES; lane++) tops[g + lane] = top[lane];
    }
}

/* How x[0..n) is divided into groups; what does not go into them is left over at its end. */
typedef struct {
    int32_t n, steps;
    float tops[MAX_GROUPS];
} groups_t;

/* Divide for a selection of k: k groups reach the k-th largest of their tops, and so do k of x at
 * least. Returns that bound; -inf, and no groups, if this is not the way for such an n and k. */
INLINED float bound_by_groups(const float *x, int32_t n, int32_t k, groups_t *groups) {
    float order[MAX_GROUPS];
    const int32_t n_groups = k <= HEAP_LIMIT ? MAX_GROUPS / 4 : MAX_GROUPS;
    groups->steps = n / n_groups;
    groups->n = groups->steps < 8 || n_groups < 2 * k ? 0 : n_groups;
    if (groups->n == 0) {
        return -INFINITY;
    }
    group_tops(x, groups->steps, n_groups, groups->tops);
    memcpy(order, groups->tops, n_groups * sizeof(float));
    return partition(order, n_groups, k);
}

/* What reaches the bound, in no order; writes `limit` at most, returns how many there are. */
INLINED int32_t select_in_groups(const float *x, int32_t n, const groups_t *groups, float bound,
                                 int32_t limit, candidate_t *out) {
    const int32_t length = groups->steps * LANES;
    int32_t count = 0;
    for (int32_t g = 0; g < groups->n; g++) {
        if (!(groups->tops[g] >= bound)) continue;
        const int32_t first = g / LANES * length + g % LANES;
        for (int32_t i = first; i < first + length; i += LANES) {
            if (x[i] >= bound && count++ < limit) out[count - 1] = (candidate_t){i, x[i], 0.0f};
        }
    }
    for (int32_t i = groups->steps * groups->n; i < n; i++) {
        if (x[i] >= bound && count++ < limit) out[count - 1] = (candidate_t){i, x[i], 0.0f};
    }
    return count;
}

/* Whether the k largest of c are k different logits, none of which c holds once more, also when
 * they are divided by the temperature. */
INLINED int are_distinct(const candidate_t *c, int32_t n, int32_t k, float temperature) {
    float order[CROWD];
    for (int32_t i = 0; i < n; i++) {
        int32_t j = i;
        for (; j > 0 && order[j - 1] < c[i].logit; j--) order[j] = order[j - 1];
        order[j] = c[i].logit;
    }
    for (int32_t i = 1; i < n && i <= k; i++) {
        if (!(order[i] / temperature < order[i - 1] / temperature)) return 0;
    }
    return 1;
}

DISPATCHED static int32_t at_least(const float *x, int32_t n, float threshold, candidate_t *out) {
    int32_t count = 0;
    for (int32_t i = 0; i < n;) {
        while (n - i >= BLOCK && !any_at_least(x + i, BLOCK, threshold)) i += BLOCK;
        while (n - i >= PART && !any_at_least(x + i, PART, threshold)) i += PART;
        int32_t end = n - i < PART ? n : i + PART;
        for (; i < end; i++) {
            out[count] = (candidate_t){i, x[i], 0.0f};
            count += x[i] >= threshold;
        }
    }
    return count;
}

/* The k-th largest of x[0..n), or something below it; `work` has room for n. */
INLINED float bound_top_k(const float *x, int32_t n, int32_t k, float *work) {
    groups_t groups;
    const float bound = bound_by_groups(x, n, k, &groups);
    if (groups.n > 0) {
        return bound;
    }
    memcpy(work, x, n * sizeof(float));
    return partition(work, n, k);
}

/* A bucket sort keeps the highest buckets that hold k together, and orders each by itself: what
 * lies in lower buckets than the k-th largest has no part in it. */
INLINED int32_t select_buckets(const float *x, int32_t n, int32_t k, float temperature,
                               candidate_t *out) {
    const float scale = N_BUCKETS / (BUCKET_HIGH - BUCKET_LOW);
    const float bound = bound_top_k(x, n, k, (float *)out) / temperature;
    float bucket = floorf(scale * (bound - BUCKET_LOW) - BUCKET_MARGIN);
    if (!(bucket >= 1.0f)) {
        return select_all(x, n, out);
    }
    if (bucket > N_BUCKETS - 1) {
        bucket = N_BUCKETS - 1;
    }
    return at_least(x, n, (BUCKET_LOW + bucket / scale - BUCKET_MARGIN) * temperature, out);
}

DISPATCHED int32_t select_top_k(const float *x, int32_t n, int32_t k, float temperature,
                                candidate_t *out) {
    if (k > HEAP_LIMIT) {
        return select_buckets(x, n, k, temperature, out);
    }
    groups_t groups;
    const float bound = bound_by_groups(x, n, k, &groups);
    if (groups.n > 0) {
        const int32_t count = select_in_groups(x, n, &groups, bound, CROWD, out);
        if (count <= CROWD && are_distinct(out, count, k, temperature)) {
            return count;
        }
    }
    return select_heap(x, n, k, out);
}

int32_t select_at_least(const float *x, int32_t n, float threshold, candidate_t *out) {
    return at_least(x, n, threshold, out);
}

int32_t select_all(const float *x, int32_t n, candidate_t *out) {
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++) {
        out[count] = (candidate_t){i, x[i], 0.0f};
        count += !isnan(x[i]);
    }
    return count;
}
