#include "include/optimizer.h"

#include <string.h>

#include "variants.h"

// Outputs may equal inputs exactly, which the vectoriser's own overlap test would take for a reason not to vectorise.
#define CK_EACH(i, count) _Pragma("clang loop vectorize(assume_safety)") for (long i = 0; i < (count); ++i)

static CK_INLINE void scale_body(float *out, const float *update, float factor, long count, int fused) {
  (void)fused;
  CK_EACH(i, count) out[i] = factor * update[i];
}
CK_VARIANTS(ck_scale, scale_body, (float *out, const float *update, float factor, long count),
            (out, update, factor, count))

static CK_INLINE void add_decayed_body(float *out, const float *update, float factor, const float *parameter,
                                       float decay, long count, int fused) {
  (void)fused;
  CK_EACH(i, count) out[i] = factor * update[i] + decay * parameter[i];
}
CK_VARIANTS(ck_add_decayed, add_decayed_body,
            (float *out, const float *update, float factor, const float *parameter, float decay, long count),
            (out, update, factor, parameter, decay, count))

static CK_INLINE void trace_body(float *trace, const float *update, float factor, float momentum, long count,
                                 int fused) {
  (void)fused;
  CK_EACH(i, count) trace[i] = momentum * trace[i] + factor * update[i];
}
CK_VARIANTS(ck_trace, trace_body, (float *trace, const float *update, float factor, float momentum, long count),
            (trace, update, factor, momentum, count))

static CK_INLINE void trace_nesterov_body(float *out, float *trace, const float *update, float factor, float momentum,
                                          float ahead, long count, int fused) {
  (void)fused;
  CK_EACH(i, count) {
    float scaled = factor * update[i];
    float next = momentum * trace[i] + scaled;
    trace[i] = next;
    out[i] = scaled + ahead * next;
  }
}
CK_VARIANTS(ck_trace_nesterov, trace_nesterov_body,
            (float *out, float *trace, const float *update, float factor, float momentum, float ahead, long count),
            (out, trace, update, factor, momentum, ahead, count))

static CK_INLINE void adam_body(float *out, float *first, float *second, const float *update, float factor,
                                ck_adam_step step, long count, int fused) {
  (void)fused;
  CK_EACH(i, count) {
    float scaled = factor * update[i];
    float m = step.decay1 * first[i] + step.gain1 * scaled;
    float v = step.decay2 * second[i] + step.gain2 * scaled * scaled;
    first[i] = m;
    second[i] = v;
    out[i] = (m * step.correction1) / (__builtin_elementwise_sqrt(v * step.correction2) + step.epsilon);
  }
}
CK_VARIANTS(ck_adam, adam_body,
            (float *out, float *first, float *second, const float *update, float factor, ck_adam_step step, long count),
            (out, first, second, update, factor, step, count))

static CK_INLINE void descend_body(float *parameter, const float *update, float factor, long count, int fused) {
  (void)fused;
  CK_EACH(i, count) parameter[i] = parameter[i] - factor * update[i];
}
CK_VARIANTS(ck_descend, descend_body, (float *parameter, const float *update, float factor, long count),
            (parameter, update, factor, count))

static CK_INLINE void momentum_loop(float *parameter, float *trace, const float *update, ck_momentum_step s, long count,
                                    const int decays, const int nesterov) {
  CK_EACH(i, count) {
    float scaled = s.factor * update[i];
    if (decays) scaled = scaled + s.decay * parameter[i];
    float next = s.momentum * trace[i] + scaled;
    trace[i] = next;
    parameter[i] = parameter[i] - s.rate * (nesterov ? scaled + s.momentum * next : next);
  }
}

static CK_INLINE void descend_with_momentum_body(float *parameter, float *trace, const float *update,
                                                 ck_momentum_step s, long count, int fused) {
  (void)fused;
  if (s.decays && s.nesterov)
    momentum_loop(parameter, trace, update, s, count, 1, 1);
  else if (s.decays)
    momentum_loop(parameter, trace, update, s, count, 1, 0);
  else if (s.nesterov)
    momentum_loop(parameter, trace, update, s, count, 0, 1);
  else
    momentum_loop(parameter, trace, update, s, count, 0, 0);
}
CK_VARIANTS(ck_descend_with_momentum, descend_with_momentum_body,
            (float *parameter, float *trace, const float *update, ck_momentum_step step, long count),
            (parameter, trace, update, step, count))

static CK_INLINE void blend_body(float *average, const float *value, float weight, long count, int fused) {
  (void)fused;
  float rest = 1.0f - weight;
  CK_EACH(i, count) average[i] = rest * average[i] + weight * value[i];
}
CK_VARIANTS(ck_blend, blend_body, (float *average, const float *value, float weight, long count),
            (average, value, weight, count))

enum { LANES = 16 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef float floats __attribute__((vector_size(LANES * sizeof(float))));

static CK_INLINE void sum_squares_body(const float *x, long count, double *sum, int fused) {
  (void)fused;
  lanes lane = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES) {
    floats run;
    memcpy(&run, x + i, sizeof run);
    lanes wide = __builtin_convertvector(run, lanes);
    lane += wide * wide;
  }
  double partial[LANES];
  memcpy(partial, &lane, sizeof partial);
  for (long j = 0; i + j < count; ++j) partial[j] += (double)x[i + j] * (double)x[i + j];
  double total = 0;
  for (int j = 0; j < LANES; ++j) total += partial[j];
  *sum = total;
}
CK_VARIANTS(ck_sum_squares, sum_squares_body, (const float *x, long count, double *sum), (x, count, sum))
