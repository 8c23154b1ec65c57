// Batch normalisation over images in blocks of channels, with the addition and the ReLU that often follow it.
//
// Ioffe, Szegedy, "Batch normalization", ICML 2015. Images are [batch, blocks of channels, area, block] with zeros in what
// pads the last block, which stay zeros. The variance is the biased one.
#ifndef CK_BATCH_NORM_H
#define CK_BATCH_NORM_H
#include "pass.h"

typedef struct {
  long batch, channels, area;
  float epsilon;
  /// Of the images; statistics, parameters and sums are floats whatever it is.
  ck_storage storage;
} ck_batch_norm;

/// z = (x − mean)/√(variance + ε)·scale + shift, plus `residual` unless that is NULL; y = min(max(z, 0), ceiling) where
/// `relu`, else z. The ceiling may be infinite.
typedef struct {
  ck_batch_norm shape;
  /// Images.
  const void *source, *residual;
  /// [channels].
  const float *scale, *shift;
  /// [channels]; computed unless `given`.
  float *mean, *variance;
  int given, relu;
  float ceiling;
  /// Elements from one image of the source to the next, where it is the first channels of a larger tensor; else 0.
  long source_stride;
  /// An image; may be `source` or `residual`.
  void *result;
} ck_batch_norm_forward_job;

/// The gradients that belong to it. Where there was a ReLU, dz = dy where 0 < z < ceiling, else 0: without a residual z is
/// computed again from the source; with one `result` tells, and dz, the residual's gradient too, goes to
/// `diff_residual`.
typedef struct {
  ck_batch_norm shape;
  /// Images.
  const void *source, *result, *diff_result;
  const float *scale, *shift, *mean, *variance;
  int relu;
  float ceiling;
  /// Unless NULL, what is added to the source's gradient.
  const void *earlier;
  /// Elements from one image to the next, where these are the first channels of a larger tensor; else 0.
  long source_stride, earlier_stride, diff_source_stride;
  /// An image; may be `diff_result` or `earlier`.
  void *diff_source;
  /// An image; NULL without a residual; may be `diff_result`.
  void *diff_residual;
  float *diff_scale, *diff_shift;
} ck_batch_norm_backward_job;

/// The parts share the channels, so no sum crosses them and the bits do not depend on their number.
void ck_batch_norm_forward(const ck_batch_norm_forward_job *job, ck_team team, int parts);
void ck_batch_norm_backward(const ck_batch_norm_backward_job *job, ck_team team, int parts);

#endif
