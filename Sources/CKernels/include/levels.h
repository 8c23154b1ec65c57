// Elements rounded at random to one of a few multiples of a scale, so that their expectation is the element.
#ifndef CK_LEVELS_H
#define CK_LEVELS_H
#include <stdint.h>

/// Elements that are encoded at a time, at most.
enum { CK_MOST_LEVELS_ELEMENTS = 512 };

/// Which random words are drawn: those of Philox's counters (element/4, sample, step, epoch) under a key.
typedef struct {
  uint64_t key;
  uint32_t sample, step, epoch;
} ck_draws;

/// How elements become codes: `levels` steps from 0 to `scale` on either side, each code in `bits` bits, which must hold
/// 2·levels. Magnitudes above the scale count as the scale. A scale that is no number is read as such throughout.
typedef struct {
  float scale;
  int levels, bits;
} ck_level_coding;

/// Bytes of `count` codes: eight of them have `bits` bytes.
static inline long ck_level_bytes(long count, int bits) { return (count + 7) / 8 * bits; }

/// Writes the codes of `count` elements. Element i is rounded up where the fraction of its level plus the uniform number that
/// belongs to element first + i reaches 1; `first` is a multiple of four.
void ck_encode_levels(
    const float *values, ck_level_coding coding, ck_draws draws, long first, long count, unsigned char *packed);

/// values[i] += the element that code i stands for, `count` of them.
void ck_add_levels(const unsigned char *packed, ck_level_coding coding, float *values, long count);

/// Sums over a vector, in float64 in one order (sixteen lanes), and its largest magnitude.
typedef struct {
  double sum, squares;
  float largest;
} ck_spread;

void ck_measure_spread(const float *values, long count, ck_spread *spread);

#endif
