// Error feedback: what a codec did not send of a gradient is kept and added to the next one.
#ifndef CK_FEEDBACK_H
#define CK_FEEDBACK_H

/// residual[i] = factor·gradient[i] + residual[i].
void ck_feed_back(float *residual, const float *gradient, float factor, long count);

/// What is constant over a run of `ck_correct_momentum`.
typedef struct {
  float factor, decay, momentum;
  int nesterov;
} ck_momentum_correction;

/// With g = factor·gradient[i] (+ decay·parameters[i], unless that is null): velocity[i] = momentum·velocity[i] + g, and
/// accumulated[i] += velocity[i], or Nesterov's g + momentum·velocity[i]. The bits of what is added are those of `ck_trace`
/// and `ck_trace_nesterov`.
void ck_correct_momentum(
    float *velocity, float *accumulated, const float *gradient, const float *parameters,
    ck_momentum_correction correction, long count);

#endif
