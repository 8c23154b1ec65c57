#include "include/add.h"

#include "variants.h"

static CK_INLINE void accumulate_body(float *sum, const float *addend, long count, int fused) {
  (void)fused;
  for (long i = 0; i < count; ++i) sum[i] += addend[i];
}
CK_VARIANTS(ck_accumulate, accumulate_body, (float *sum, const float *addend, long count), (sum, addend, count))
