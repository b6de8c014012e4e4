/* Sums of exponentials over a row of logits. */
#ifndef LLAMABOX_LOGPROBS_EXP_H
#define LLAMABOX_LOGPROBS_EXP_H

#include <stdint.h>

/* The largest of x[0..n), -inf if there is none. */
float largest(const float *x, int32_t n);

/* Sum of exp(x[i] - top), for x[i] <= top; within 1e-6 of its value. */
double sum_exp(const float *x, int32_t n, float top);

#endif
