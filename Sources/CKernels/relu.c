#include "include/relu.h"

#include "variants.h"

static CK_INLINE void relu_backward_body(
    const float *result, const float *diff_result, float *diff_source, long count, int fused) {
  (void)fused;
  // The two may be the same array, which the vectoriser's own overlap test would take for a reason not to vectorise.
#pragma clang loop vectorize(assume_safety)
  for (long i = 0; i < count; ++i) diff_source[i] = result[i] > 0 ? diff_result[i] : 0;
}
CK_VARIANTS(ck_relu_backward, relu_backward_body,
            (const float *result, const float *diff_result, float *diff_source, long count),
            (result, diff_result, diff_source, count))
