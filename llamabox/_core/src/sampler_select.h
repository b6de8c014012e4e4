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

/* The others write to `out`, which has room for n, and return how many candidates they wrote. What
 * is not a number is never one. */

/* Candidates of which llama.cpp's top_k makes the same, in the same order, as of all x[0..n), for
 * 0 < k <= n: the k largest, and if some of them are equal, what decides upon their order. That is
 * so before and after all are divided by the temperature; 1 if they are not. */
int32_t select_top_k(const float *x, int32_t n, int32_t k, float temperature, candidate_t *out);

/* Every x[i] >= threshold, in the order of i. */
int32_t select_at_least(const float *x, int32_t n, float threshold, candidate_t *out);

/* All of x[0..n), in the order of i. */
int32_t select_all(const float *x, int32_t n, candidate_t *out);

#endif
