// The loops of the gradient transformations (Sources/Optimizers), over one run of elements each.
//
// None of them uses a fused multiply-add: an update is bound by memory, so fusing would buy nothing, and without it an
// element has the same bits under every instruction set. `factor` is a scalar that the update so far still has to be
// multiplied with. Outputs may be the very array that is an input, but may not overlap one otherwise.
#ifndef CK_OPTIMIZER_H
#define CK_OPTIMIZER_H

/// out[i] = factor·update[i].
void ck_scale(float *out, const float *update, float factor, long count);

/// out[i] = factor·update[i] + decay·parameter[i].
void ck_add_decayed(float *out, const float *update, float factor, const float *parameter, float decay, long count);

/// trace[i] = momentum·trace[i] + factor·update[i].
void ck_trace(float *trace, const float *update, float factor, float momentum, long count);

/// The same, and out[i] = factor·update[i] + ahead·trace[i] with the new trace.
void ck_trace_nesterov(
    float *out, float *trace, const float *update, float factor, float momentum, float ahead, long count);

/// What is constant over a step of `ck_adam`.
typedef struct {
  float decay1, gain1;    // β₁ and 1 − β₁
  float decay2, gain2;    // β₂ and 1 − β₂
  float correction1;      // 1 ÷ (1 − β₁ᵗ)
  float correction2;      // 1 ÷ (1 − β₂ᵗ)
  float epsilon;
} ck_adam_step;

/// With g = factor·update[i]: first[i] = β₁·first[i] + (1−β₁)·g, second[i] = β₂·second[i] + (1−β₂)·g², and out[i] the
/// corrected first moment ÷ (√ corrected second moment + ε).
void ck_adam(float *out, float *first, float *second, const float *update, float factor, ck_adam_step step, long count);

/// parameter[i] −= factor·update[i].
void ck_descend(float *parameter, const float *update, float factor, long count);

/// What is constant over a run of `ck_descend_with_momentum`.
typedef struct {
  float factor, decay, momentum, rate;
  /// Whether decay applies, and whether the look-ahead is Nesterov's.
  int decays, nesterov;
} ck_momentum_step;

/// The bits of `ck_add_decayed`, `ck_trace` or `ck_trace_nesterov`, and `ck_descend` one after another, in one pass: it
/// reads and writes three long runs side by side instead of many short ones.
void ck_descend_with_momentum(
    float *parameter, float *trace, const float *update, ck_momentum_step step, long count);

/// average[i] = (1 − weight)·average[i] + weight·value[i].
void ck_blend(float *average, const float *value, float weight, long count);

/// *sum = Σ x[i]², in float64 and in one fixed order: lane j of sixteen adds elements j, j+16, …; then the lanes are
/// added in index order. A product of two floats is exact in float64, so the bits do not depend on the instruction set.
void ck_sum_squares(const float *x, long count, double *sum);

#endif
