// Winograd convolutions: stride 1, one group, kernels of 3×3 or 5×5, forward and both backward passes.
//
// Lavin, Gray, "Fast algorithms for convolutional neural networks", CVPR 2016: F(4×4, 3×3) takes 36 multiplications for
// 16 results instead of 144, F(2×2, 5×5) 36 for 4 instead of 100. Both cut the images into tiles of 6×6, so they share
// everything but the transforms of weights and results. The interpolation points are in winograd-body.h.
//
// Images in bfloat16 are multiplied in bfloat16: tiles and weights are transformed in single precision and then rounded.
// The points keep the error of that to about five times that of rounding the result (docs/numerics.md).
#ifndef CK_WINOGRAD_H
#define CK_WINOGRAD_H
#include "pass.h"

/// A convolution as its forward pass sees it. Images are [batch, blocks of channels, height, width, block], weights
/// [blocks of filters, blocks of channels, kernel, kernel, block of channels, block of filters]; the last block may
/// be padded with zeros and is then padded with zeros in every result.
typedef struct {
  long batch, channels, height, width;
  long filters, out_height, out_width;
  /// Above and to the left; what lies below and to the right follows from the extents.
  long padding_top, padding_left;
  /// 3 or 5.
  int kernel;
  ck_storage storage;
} ck_winograd;

/// What a pass reads and writes. The bits depend on nothing but the shape and the instruction set: `parts` only says
/// over how many threads the work is spread.
typedef struct {
  ck_winograd shape;
  /// x, forward and for the weights' gradient; an image.
  const void *source;
  /// Forward and for the source's gradient.
  const float *weights;
  /// [filters], forward; or NULL.
  const float *bias;
  /// dy, backward; an image.
  const void *diff_result;
  /// y or dx, which are images, or the gradient of the weights.
  void *output;
  /// Gradient of the bias, with that of the weights; or NULL.
  float *diff_bias;
  /// Whether max(·, 0) is applied to y.
  int relu;
  /// As many floats as `ck_winograd_scratch` says.
  float *scratch;
} ck_winograd_job;

long ck_winograd_scratch(const ck_winograd *shape, ck_pass pass, int parts);

void ck_winograd_run(const ck_winograd_job *job, ck_pass pass, ck_team team, int parts);

#endif
