// Inner products over weights in blocks of outputs, forward and both backward passes.
//
// Sources and results are row-major, [samples, inputs] and [samples, outputs]. Weights are [blocks of outputs, inputs,
// block], the inputs rounded up to whole blocks, with zeros in what pads the last blocks: a vector of weights is what one
// input contributes to a block of outputs.
#ifndef CK_INNER_PRODUCT_H
#define CK_INNER_PRODUCT_H
#include "pass.h"

typedef struct {
  long samples, inputs, outputs;
  /// Of sources, results and the gradients of both, and of what is multiplied. Weights in floats are rounded on the way.
  ck_storage storage;
  /// Of the forward result alone: floats, where a loss takes it.
  ck_storage result_storage;
} ck_inner_product;

/// What a pass reads and writes, as in `ck_winograd_job`. A sample's result and its gradient do not depend on the other
/// samples, nor any bit on `parts`.
typedef struct {
  ck_inner_product shape;
  const void *source, *diff_result;
  const float *weights, *bias;
  void *output;
  float *diff_bias;
  int relu;
  float *scratch;
} ck_inner_product_job;

long ck_inner_product_scratch(const ck_inner_product *shape, ck_pass pass, int parts);

void ck_inner_product_run(const ck_inner_product_job *job, ck_pass pass, ck_team team, int parts);

#endif
