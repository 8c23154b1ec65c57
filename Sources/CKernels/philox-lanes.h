// Philox4x32-10 for sixteen counters side by side (include/philox.h has it for one).
#ifndef CK_PHILOX_LANES_H
#define CK_PHILOX_LANES_H
#include "include/philox.h"
#include "lanes.h"

typedef uint32_t ck_words __attribute__((vector_size(4 * CK_LANES), aligned(4), may_alias));
typedef uint64_t ck_long_words __attribute__((vector_size(4 * CK_LANES), aligned(4), may_alias));

/// The upper and lower halves of each lane's product with a constant.
static CK_INLINE void ck_multiply_words(ck_words x, uint64_t constant, ck_words *upper, ck_words *lower) {
  const ck_long_words pairs = (ck_long_words)x;
  const ck_words even = (ck_words)((pairs & 0xffffffff) * constant), odd = (ck_words)((pairs >> 32) * constant);
  *lower = __builtin_shufflevector(even, odd, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
  *upper = __builtin_shufflevector(even, odd, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
}

/// Writes the 64 words of counters whose first words are `first`, first + 1, …, block by block, as `ck_philox` has them.
static CK_INLINE void ck_philox_lanes(uint32_t *words, uint32_t first, ck_philox_block counter, uint64_t key) {
  ck_words a = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  a += first;
  ck_words b = (ck_words){} + counter.word[1], c = (ck_words){} + counter.word[2], d = (ck_words){} + counter.word[3];
  uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; ++round) {
    ck_words upper0, lower0, upper1, lower1;
    ck_multiply_words(a, 0xD2511F53u, &upper0, &lower0);
    ck_multiply_words(c, 0xCD9E8D57u, &upper1, &lower1);
    a = upper1 ^ b ^ key0;
    c = upper0 ^ d ^ key1;
    b = lower1;
    d = lower0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  // Words of a block become neighbours: first those of two vectors, then pairs of those of two pairs.
#define CK_LOW_HALVES(x, y) __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define CK_HIGH_HALVES(x, y) \
  __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
  const ck_words pairs[2][2] = {
      {CK_LOW_HALVES(a, b), CK_LOW_HALVES(c, d)}, {CK_HIGH_HALVES(a, b), CK_HIGH_HALVES(c, d)}};
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; ++half) {
    const ck_long_words left = (ck_long_words)pairs[half][0], right = (ck_long_words)pairs[half][1];
    *(ck_long_words *)(words + 32 * half) = __builtin_shufflevector(left, right, 0, 8, 1, 9, 2, 10, 3, 11);
    *(ck_long_words *)(words + 32 * half + 16) = __builtin_shufflevector(left, right, 4, 12, 5, 13, 6, 14, 7, 15);
  }
#undef CK_LOW_HALVES
#undef CK_HIGH_HALVES
}

#endif
