#include "include/levels.h"

#include "lanes.h"
#include "philox-lanes.h"

enum { MOST = CK_MOST_LEVELS_ELEMENTS };

/// Eight codes, a byte each, side by side in their lower `bits` bits each.
static CK_INLINE uint64_t packed_codes(uint64_t codes, const int bits) {
  const uint64_t even1 = 0x00ff00ff00ff00ff, even2 = 0x0000ffff0000ffff, even4 = 0x00000000ffffffff;
  uint64_t x = (codes & even1) | (codes & ~even1) >> (8 - bits);
  x = (x & even2) | (x & ~even2) >> (16 - 2 * bits);
  return (x & even4) | (x & ~even4) >> (32 - 4 * bits);
}

static CK_INLINE uint64_t unpacked_codes(uint64_t packed, const int bits) {
  const uint64_t ones = 0x0101010101010101;
  const uint64_t low4 = (1ull << (4 * bits)) - 1, low2 = (1ull << (2 * bits)) - 1, low = (1ull << bits) - 1;
  uint64_t x = (packed & low4) | (packed & low4 << (4 * bits)) << (32 - 4 * bits);
  const uint64_t lower2 = low2 | low2 << 32, lower = low * (ones & 0x0001000100010001);
  x = (x & lower2) | (x & lower2 << (2 * bits)) << (16 - 2 * bits);
  return (x & lower) | (x & lower << bits) << (8 - bits);
}

static CK_INLINE void encode_body(
    const float *values, ck_level_coding coding, ck_draws draws, long first, long count, unsigned char *packed,
    int fused) {
  (void)fused;
  uint32_t words[MOST];
  unsigned char codes[MOST];
  for (long i = 0; i < count; i += 4 * CK_LANES) {
    const ck_philox_block counter = {{0, draws.sample, draws.step, draws.epoch}};
    ck_philox_lanes(words + i, (uint32_t)((first + i) / 4), counter, draws.key);
  }
  const float top = (float)coding.levels;
  const float factor = coding.scale < 0x1p-100f ? 0 : top / coding.scale;
  for (long i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    const float level = ck_float_of_bits(bits & 0x7fffffff) * factor + (float)(words[i] >> 8) * 0x1p-24f;
    // What is not a number fails the comparison.
    const int whole = (int)(level < top ? level : top), sign = (int)bits >> 31;
    codes[i] = (unsigned char)(coding.levels + ((whole ^ sign) - sign));
  }
  for (long i = count; i % 8 != 0; ++i) codes[i] = 0;
  const int bits = coding.bits;
  for (long i = 0; i < count; i += 8) {
    uint64_t group;
    memcpy(&group, codes + i, sizeof group);
    group = packed_codes(group, bits);
    for (int byte = 0; byte < bits; ++byte) *packed++ = (unsigned char)(group >> 8 * byte);
  }
}
CK_VARIANTS(ck_encode_levels, encode_body,
            (const float *values, ck_level_coding coding, ck_draws draws, long first, long count,
             unsigned char *packed),
            (values, coding, draws, first, count, packed))

static CK_INLINE void add_body(
    const unsigned char *packed, ck_level_coding coding, float *values, long count, int fused) {
  (void)fused;
  const float unit = coding.scale / (float)coding.levels;
  const int bits = coding.bits;
  unsigned char codes[MOST];
  for (long done = 0; done < count; done += MOST) {
    const long run = count - done < MOST ? count - done : MOST;
    for (long i = 0; i < run; i += 8) {
      uint64_t group = 0;
      for (int byte = 0; byte < bits; ++byte) group |= (uint64_t)*packed++ << 8 * byte;
      group = unpacked_codes(group, bits);
      memcpy(codes + i, &group, sizeof group);
    }
    for (long i = 0; i < run; ++i) values[done + i] += (float)((int)codes[i] - coding.levels) * unit;
  }
}
CK_VARIANTS(ck_add_levels, add_body,
            (const unsigned char *packed, ck_level_coding coding, float *values, long count),
            (packed, coding, values, count))

static CK_INLINE void spread_body(const float *values, long count, ck_spread *spread, int fused) {
  (void)fused;
  ck_doubles sum = {0}, squares = {0};
  ck_ints largest = {0};
  long i = 0;
  for (; i + CK_LANES <= count; i += CK_LANES) {
    const ck_floats run = ck_lanes_at(values + i);
    const ck_doubles wide = __builtin_convertvector(run, ck_doubles);
    sum += wide;
    squares += wide * wide;
    const ck_ints magnitude = ck_magnitudes(run), is_larger = magnitude > largest;
    largest = (magnitude & is_larger) | (largest & ~is_larger);
  }
  uint32_t most = 0;
  for (int lane = 0; lane < CK_LANES; ++lane) most = (uint32_t)largest[lane] > most ? (uint32_t)largest[lane] : most;
  double sums[CK_LANES], each[CK_LANES];
  memcpy(sums, &sum, sizeof sums);
  memcpy(each, &squares, sizeof each);
  for (int lane = 0; i < count; ++i, ++lane) {
    sums[lane] += (double)values[i];
    each[lane] += (double)values[i] * (double)values[i];
    most = ck_magnitude(values[i]) > most ? ck_magnitude(values[i]) : most;
  }
  memcpy(&sum, sums, sizeof sums);
  memcpy(&squares, each, sizeof each);
  *spread = (ck_spread){ck_sum_of(sum), ck_sum_of(squares), ck_float_of_bits(most)};
}
CK_VARIANTS(ck_measure_spread, spread_body, (const float *values, long count, ck_spread *spread),
            (values, count, spread))
