// Philox4x32-10: the counter-based generator behind every random number of a run.
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
#ifndef CK_PHILOX_H
#define CK_PHILOX_H
#include <stdint.h>

/// Four words of 32 bits.
typedef struct {
  uint32_t word[4];
} ck_philox_block;

/// The block of four random words that belongs to a counter under a key.
static inline ck_philox_block ck_philox(ck_philox_block counter, uint64_t key) {
  uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
  uint32_t a = counter.word[0], b = counter.word[1], c = counter.word[2], d = counter.word[3];
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = (uint64_t)0xD2511F53u * a;
    uint64_t product1 = (uint64_t)0xCD9E8D57u * c;
    uint32_t next0 = (uint32_t)(product1 >> 32) ^ b ^ key0;
    uint32_t next2 = (uint32_t)(product0 >> 32) ^ d ^ key1;
    b = (uint32_t)product1;
    d = (uint32_t)product0;
    a = next0;
    c = next2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  ck_philox_block out = {{a, b, c, d}};
  return out;
}

#endif
