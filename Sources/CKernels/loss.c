#include "include/loss.h"

#include <math.h>
#include <stddef.h>

#pragma clang fp contract(off)

ck_loss_sums ck_softmax_cross_entropy(
    const float *logits, const int32_t *labels, long samples, long classes, double smoothing, double scale,
    float *gradient) {
  ck_loss_sums sums = {0, 0};
  for (long sample = 0; sample < samples; ++sample) {
    const float *x = logits + sample * classes;
    const long label = labels[sample];
    long largest = 0;
    for (long c = 1; c < classes; ++c)
      if (x[c] > x[largest]) largest = c;
    const double maximum = x[largest];
    double total = 0, sum = 0;
    for (long c = 0; c < classes; ++c) {
      total += exp(x[c] - maximum);
      sum += x[c] - maximum;
    }
    const double logTotal = log(total);
    // −Σ target·log softmax, with log softmax(c) = x(c) − maximum − log total.
    const double own = logTotal - (x[label] - maximum);
    const double mean = logTotal - sum / (double)classes;
    sums.loss += (1 - smoothing) * own + smoothing * mean;
    // A logit that is not a number is never a correct answer.
    if (largest == label && x[label] == x[label]) ++sums.correct;
    if (gradient == NULL) continue;
    float *out = gradient + sample * classes;
    for (long c = 0; c < classes; ++c) {
      const double target = (c == label ? 1 - smoothing : 0) + smoothing / (double)classes;
      out[c] = (float)(scale * (exp(x[c] - maximum) / total - target));
    }
  }
  return sums;
}
