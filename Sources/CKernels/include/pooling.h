// Max and average pooling over images in blocks of channels, forward and backward.
//
// Images are [batch, blocks of channels, height, width, block] with zeros in what pads the last block, which stay so.
#ifndef CK_POOLING_H
#define CK_POOLING_H
#include "pass.h"

/// A pool as its forward pass sees it. Every window overlaps the image.
typedef struct {
  long batch, channels, height, width, out_height, out_width;
  long kernel_height, kernel_width, stride_height, stride_width;
  /// Above and to the left; what lies below and to the right follows from the extents.
  long padding_top, padding_left;
} ck_pool;

/// Positions within a window must fit into a byte.
#define CK_LARGEST_MAX_POOL 256

/// y is a window's largest element; what is not a number counts as the largest. `places` gets where in its window, row
/// by row, the first such element of each of y stands (of several that are not numbers the last); it may be NULL. The
/// window has at most CK_LARGEST_MAX_POOL elements.
void ck_max_pool_forward(
    const ck_pool *shape, const float *source, float *result, unsigned char *places, ck_team team, int parts);

/// dx is the sum, by ascending windows, of dy over the windows whose place it is.
void ck_max_pool_backward(
    const ck_pool *shape, const unsigned char *places, const float *diff_result, float *diff_source, ck_team team,
    int parts);

/// y is the mean over the window, padding counted as zeros.
void ck_average_pool_forward(const ck_pool *shape, const float *source, float *result, ck_team team, int parts);

void ck_average_pool_backward(
    const ck_pool *shape, const float *diff_result, float *diff_source, ck_team team, int parts);

#endif
