#include "include/images.h"

#include "variants.h"

static CK_INLINE void normalise_body(float *restrict out, const uint8_t *restrict in, long count, float scale,
                                     float shift, int fused) {
  for (long i = 0; i < count; ++i) out[i] = CK_FMA(fused, (float)in[i], scale, shift);
}
CK_VARIANTS(ck_normalise_bytes, normalise_body,
            (float *out, const uint8_t *in, long count, float scale, float shift), (out, in, count, scale, shift))
