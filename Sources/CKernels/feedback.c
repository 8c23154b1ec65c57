#include "include/feedback.h"

#include "variants.h"

// Outputs may equal inputs exactly, which the vectoriser's own overlap test would take for a reason not to vectorise.
#define CK_EACH(i, count) _Pragma("clang loop vectorize(assume_safety)") for (long i = 0; i < (count); ++i)

static CK_INLINE void feed_back_body(float *residual, const float *gradient, float factor, long count, int fused) {
  (void)fused;
  CK_EACH(i, count) residual[i] = factor * gradient[i] + residual[i];
}
CK_VARIANTS(ck_feed_back, feed_back_body, (float *residual, const float *gradient, float factor, long count),
            (residual, gradient, factor, count))

static CK_INLINE void correct_loop(
    float *velocity, float *accumulated, const float *gradient, const float *parameters, ck_momentum_correction c,
    long count, const int decays, const int nesterov) {
  CK_EACH(i, count) {
    float scaled = c.factor * gradient[i];
    if (decays) scaled = scaled + c.decay * parameters[i];
    const float next = c.momentum * velocity[i] + scaled;
    velocity[i] = next;
    accumulated[i] = accumulated[i] + (nesterov ? scaled + c.momentum * next : next);
  }
}

static CK_INLINE void correct_body(
    float *velocity, float *accumulated, const float *gradient, const float *parameters, ck_momentum_correction c,
    long count, int fused) {
  (void)fused;
  if (parameters && c.nesterov)
    correct_loop(velocity, accumulated, gradient, parameters, c, count, 1, 1);
  else if (parameters)
    correct_loop(velocity, accumulated, gradient, parameters, c, count, 1, 0);
  else if (c.nesterov)
    correct_loop(velocity, accumulated, gradient, parameters, c, count, 0, 1);
  else
    correct_loop(velocity, accumulated, gradient, parameters, c, count, 0, 0);
}
CK_VARIANTS(ck_correct_momentum, correct_body,
            (float *velocity, float *accumulated, const float *gradient, const float *parameters,
             ck_momentum_correction correction, long count),
            (velocity, accumulated, gradient, parameters, correction, count))
