#include "include/order.h"

#include "variants.h"

static CK_INLINE void feistel_body(uint32_t *restrict high, uint32_t *restrict low, long count,
                                   const uint32_t *restrict keys, int rounds, int high_shift, int low_shift,
                                   int fused) {
  (void)fused;
  for (const uint32_t *end = keys + 2 * rounds; keys < end; keys += 4) {
    uint32_t added = keys[0], multiplier = keys[1];
    for (long i = 0; i < count; ++i) high[i] ^= ck_feistel_hash(low[i], added, multiplier) >> high_shift;
    added = keys[2], multiplier = keys[3];
    for (long i = 0; i < count; ++i) low[i] ^= ck_feistel_hash(high[i], added, multiplier) >> low_shift;
  }
}
CK_VARIANTS(ck_feistel, feistel_body,
            (uint32_t *high, uint32_t *low, long count, const uint32_t *keys, int rounds, int high_shift,
             int low_shift),
            (high, low, count, keys, rounds, high_shift, low_shift))
