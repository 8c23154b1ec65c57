// Depthwise convolutions: each channel has a filter of its own, 3×3 or 5×5 with stride 1 or 2; forward and both backward
// passes.
#ifndef CK_DEPTHWISE_H
#define CK_DEPTHWISE_H
#include "pass.h"

/// A convolution as its forward pass sees it. Images are [batch, blocks of channels, height, width, block], weights
/// [blocks of channels, kernel, kernel, block]; the last block may be padded with zeros and is then padded with zeros
/// in every result.
typedef struct {
  long batch, channels, height, width, out_height, out_width;
  /// Above and to the left, less than the kernel; what lies below and to the right follows from the extents.
  long padding_top, padding_left;
  /// 3 or 5.
  int kernel;
  /// 1 or 2.
  int stride;
} ck_depthwise;

/// What a pass reads and writes, as in `ck_winograd_job`. The bits do not depend on `parts`.
typedef struct {
  ck_depthwise shape;
  const float *source, *weights, *bias, *diff_result;
  float *output, *diff_bias;
  int relu;
  float *scratch;
} ck_depthwise_job;

/// Floats of scratch memory.
long ck_depthwise_scratch(const ck_depthwise *shape, ck_pass pass, int parts);

void ck_depthwise_run(const ck_depthwise_job *job, ck_pass pass, ck_team team, int parts);

#endif
