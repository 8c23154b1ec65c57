// Softmax cross-entropy: the loss of a batch, its correct answers and the gradient of the logits.
#ifndef CK_LOSS_H
#define CK_LOSS_H
#include <stdint.h>

typedef struct {
  /// Σ over the samples of the cross-entropy, in natural units.
  double loss;
  /// Samples whose largest logit (the first of equals) is the label's.
  long correct;
} ck_loss_sums;

/// `logits` is [samples, classes], row-major. With label smoothing ε the target is (1 − ε)·onehot + ε/classes.
/// `gradient` receives scale·(softmax − target); it may be `logits`, or NULL where only the sums are wanted.
/// Everything is computed in double precision, sample after sample, so a sample's bits depend on nothing else.
ck_loss_sums ck_softmax_cross_entropy(
    const float *logits, const int32_t *labels, long samples, long classes, double smoothing, double scale,
    float *gradient);

#endif
