/* Lanes that compilers turn into vectors: the order of additions is written out, so that they may. */
#include "logprobs_exp.h"

#include <math.h>
#include <string.h>

#include "sampler_dispatch.h"

enum { LANES = 32, STRETCH = 64 /* additions in single precision before one in double */ };

/* exp(x) for x <= 0, after Cephes' expf: 2^n times a polynomial on +-ln(2)/2. Below -87 it is as
 * good as nothing. */
INLINED float exp_below(float x) {
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    x = x > -87.0f ? x : -87.0f;
    const float n = (x * 1.44269504f + round) - round;
    const float f = x - n * 0.693359375f + n * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * f + 1.3981999507e-3f;
    y = y * f + 8.3334519073e-3f;
    y = y * f + 4.1665795894e-2f;
    y = y * f + 1.6666665459e-1f;
    y = y * f + 5.0000001201e-1f;
    y = y * f * f + f + 1.0f;
    const int32_t bits = ((int32_t)n + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}

DISPATCHED float largest(const float *x, int32_t n) {
    float tops[LANES];
    float top = -INFINITY;
    int32_t i = 0;
    for (int32_t lane = 0; lane < LANES; lane++) tops[lane] = -INFINITY;
    for (; i + LANES <= n; i += LANES) {
        for (int32_t lane = 0; lane < LANES; lane++) {
            tops[lane] = x[i + lane] > tops[lane] ? x[i + lane] : tops[lane];
        }
    }
    for (int32_t lane = 0; lane < LANES; lane++) top = tops[lane] > top ? tops[lane] : top;
    for (; i < n; i++) top = x[i] > top ? x[i] : top;
    return top;
}

DISPATCHED double sum_exp(const float *x, int32_t n, float top) {
    double sum = 0.0;
    int32_t i = 0;
    while (i + LANES <= n) {
        float sums[LANES] = {0};
        for (int32_t s = 0; s < STRETCH && i + LANES <= n; s++, i += LANES) {
            for (int32_t lane = 0; lane < LANES; lane++) {
                sums[lane] += exp_below(x[i + lane] - top);
            }
        }
        for (int32_t lane = 0; lane < LANES; lane++) sum += sums[lane];
    }
    for (; i < n; i++) sum += exp_below(x[i] - top);
    return sum;
}
