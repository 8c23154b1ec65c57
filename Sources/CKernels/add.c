#include "include/add.h"

#include "variants.h"

static CK_INLINE void accumulate_body(float *sum, const float *addend, long count, int fused) {
  (void)fused;
  for (long i = 0; i < count; ++i) sum[i] += addend[i];
}
CK_VARIANTS(ck_accumulate, accumulate_body, (float *sum, const float *addend, long count), (sum, addend, count))

static CK_INLINE void add_body(float *restrict sum, const float *a, const float *b, long count, int fused) {
  (void)fused;
  for (long i = 0; i < count; ++i) sum[i] = a[i] + b[i];
}
CK_VARIANTS(ck_add, add_body, (float *restrict sum, const float *a, const float *b, long count), (sum, a, b, count))
