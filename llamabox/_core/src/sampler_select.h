/* Selecting candidates from raw logits in one pass. */
#ifndef LLAMABOX_SAMPLER_SELECT_H
#define LLAMABOX_SAMPLER_SELECT_H

#include <stdint.h>

/* The layout of llama_token_data (llama.h); `lib` checks it against the installed library. */
typedef struct {
    int32_t id;
    float logit;
    float p;
} candidate_t;

/* Index of the largest of x[0..n), the lowest if several are equal, -1 if none is above -inf. */
int32_t select_best(const float *x, int32_t n);

/* Write the k largest of x[0..n), and perhaps some more, to `out` in no order.
 * `out` holds select_top_k_capacity(k, n) candidates. Returns how many were written. */
int32_t select_top_k(const float *x, int32_t n, int32_t k, candidate_t *out);
int32_t select_top_k_capacity(int32_t k, int32_t n);

/* Write every x[i] >= threshold to `out`, which holds n, in the order of i; returns how many. */
int32_t select_at_least(const float *x, int32_t n, float threshold, candidate_t *out);

#endif
