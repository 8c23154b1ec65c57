#include "include/signs.h"

#include "lanes.h"

static CK_INLINE void feed_back_body(
    float *residual, const float *gradient, float factor, long count, ck_sign_sums *sums, int fused) {
  (void)fused;
  const ck_floats zero = {0}, factors = ck_all_lanes(factor);
  ck_doubles positive = {0}, negative = {0};
  ck_ints positives = {0};
  long i = 0, counted = 0;
  for (; i + CK_LANES <= count; i += CK_LANES) {
    const ck_floats sum = factors * ck_lanes_at(gradient + i) + ck_lanes_at(residual + i);
    ck_lanes_to(residual + i, sum);
    const ck_ints is_positive = sum >= zero;
    positive += __builtin_convertvector(ck_choose(is_positive, sum, zero), ck_doubles);
    negative += __builtin_convertvector(ck_choose(is_positive, zero, sum), ck_doubles);
    positives -= is_positive;
  }
  for (int lane = 0; lane < CK_LANES; ++lane) counted += positives[lane];
  double above[CK_LANES], below[CK_LANES];
  memcpy(above, &positive, sizeof above);
  memcpy(below, &negative, sizeof below);
  for (int lane = 0; i < count; ++i, ++lane) {
    const float sum = factor * gradient[i] + residual[i];
    residual[i] = sum;
    *(sum >= 0 ? above + lane : below + lane) += (double)sum;
    counted += sum >= 0;
  }
  memcpy(&positive, above, sizeof above);
  memcpy(&negative, below, sizeof below);
  *sums = (ck_sign_sums){ck_sum_of(positive), ck_sum_of(negative), counted};
}
CK_VARIANTS(ck_feed_back_signs, feed_back_body,
            (float *residual, const float *gradient, float factor, long count, ck_sign_sums *sums),
            (residual, gradient, factor, count, sums))

static CK_INLINE void encode_body(
    float *residual, float positive, float negative, unsigned char *bits, long count, int fused) {
  (void)fused;
  const ck_floats zero = {0}, above = ck_all_lanes(positive), below = ck_all_lanes(negative);
  long i = 0;
  for (; i + CK_LANES <= count; i += CK_LANES) {
    const ck_floats value = ck_lanes_at(residual + i);
    const ck_ints is_positive = value >= zero;
    const uint16_t word = (uint16_t)ck_bits_of(is_positive);
    memcpy(bits + i / 8, &word, sizeof word);
    ck_lanes_to(residual + i, value - ck_choose(is_positive, above, below));
  }
  for (; i < count; i += 8) {
    unsigned byte = 0;
    for (int bit = 0; bit < 8 && i + bit < count; ++bit) {
      const int is_positive = residual[i + bit] >= 0;
      byte |= (unsigned)is_positive << bit;
      residual[i + bit] = residual[i + bit] - (is_positive ? positive : negative);
    }
    bits[i / 8] = (unsigned char)byte;
  }
}
CK_VARIANTS(ck_encode_signs, encode_body,
            (float *residual, float positive, float negative, unsigned char *bits, long count),
            (residual, positive, negative, bits, count))

static CK_INLINE void decode_loop(
    const unsigned char *bits, float positive, float negative, float *values, long count, const int adds) {
  const ck_floats above = ck_all_lanes(positive), below = ck_all_lanes(negative);
  long i = 0;
  for (; i + CK_LANES <= count; i += CK_LANES) {
    uint16_t word;
    memcpy(&word, bits + i / 8, sizeof word);
    const ck_floats value = ck_choose(ck_mask_of(word), above, below);
    ck_lanes_to(values + i, adds ? ck_lanes_at(values + i) + value : value);
  }
  for (; i < count; ++i) {
    const float value = bits[i / 8] >> (i % 8) & 1 ? positive : negative;
    values[i] = adds ? values[i] + value : value;
  }
}

static CK_INLINE void decode_body(
    const unsigned char *bits, float positive, float negative, float *values, long count, int fused) {
  (void)fused;
  decode_loop(bits, positive, negative, values, count, 0);
}
CK_VARIANTS(ck_decode_signs, decode_body,
            (const unsigned char *bits, float positive, float negative, float *values, long count),
            (bits, positive, negative, values, count))

static CK_INLINE void add_body(
    const unsigned char *bits, float positive, float negative, float *values, long count, int fused) {
  (void)fused;
  decode_loop(bits, positive, negative, values, count, 1);
}
CK_VARIANTS(ck_add_signs, add_body,
            (const unsigned char *bits, float positive, float negative, float *values, long count),
            (bits, positive, negative, values, count))
