// The gradient of the weights of a convolution whose images have few channels, as the first one of a network has.
#ifndef CK_FIRST_CONVOLUTION_H
#define CK_FIRST_CONVOLUTION_H
#include "pass.h"

/// A convolution as its forward pass sees it, of 3×3 or 5×5 and any stride. Sources are row-major [batch, channels,
/// height, width], results [batch, blocks of filters, height, width, block], weights [blocks of filters, kernel,
/// kernel, channels, block].
typedef struct {
  long batch, channels, height, width, filters, out_height, out_width;
  /// Above and to the left; what lies below and to the right follows from the extents.
  long padding_top, padding_left;
  /// 3 or 5.
  int kernel;
  int stride;
} ck_first_convolution;

/// The bits of the gradients do not depend on `parts`.
typedef struct {
  ck_first_convolution shape;
  const float *source, *diff_result;
  float *diff_weights;
  /// [filters]; or NULL.
  float *diff_bias;
  float *scratch;
} ck_first_convolution_job;

/// Floats of scratch memory.
long ck_first_convolution_scratch(const ck_first_convolution *shape, int parts);

void ck_first_convolution_weights(const ck_first_convolution_job *job, ck_team team, int parts);

#endif
