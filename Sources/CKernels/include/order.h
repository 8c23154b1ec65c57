// The keyed permutation of an epoch, many values at a time.
#ifndef CK_ORDER_H
#define CK_ORDER_H
#include <stdint.h>

/// One keyed round's hash of a half: the upper bits of the result depend on every bit of `half`.
static inline uint32_t ck_feistel_hash(uint32_t half, uint32_t added, uint32_t multiplier) {
  uint32_t bits = (half ^ added) * 0x9E3779B1u;
  bits ^= bits >> 15;
  return bits * multiplier;
}

/// Sends `count` values, each cut in two halves, through a Feistel network of an even number of rounds.
/// `keys` has two words a round: one added bit by bit, one that multiplies. A half of b bits takes the upper b of the
/// hash: its shift is 32 - b.
void ck_feistel(uint32_t *high, uint32_t *low, long count, const uint32_t *keys, int rounds, int high_shift,
                int low_shift);

#endif
