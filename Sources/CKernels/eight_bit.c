#include "include/eight_bit.h"

#include "lanes.h"

/// Added to a number below 2²² it rounds it to the nearest integer, which its lower bits then are.
static const float rounder = 0x1.8p23f;

static CK_INLINE void encode_body(
    float *residual, const float *gradient, unsigned char *bytes, long count, int fused) {
  (void)fused;
  uint32_t largest = 0;
  for (long i = 0; i < count; ++i) {
    const float sum = residual[i] + gradient[i];
    residual[i] = sum;
    const uint32_t magnitude = ck_magnitude(sum);
    largest = magnitude > largest ? magnitude : largest;
  }
  const float found = ck_float_of_bits(largest), scale = found < 0x1p-100f ? 0 : found;
  const float inverse = scale == 0 ? 0 : 127 / scale, unit = scale / 127;
  memcpy(bytes, &scale, sizeof scale);
  signed char *const codes = (signed char *)bytes + sizeof scale;
  for (long i = 0; i < count; ++i) {
    const float shifted = residual[i] * inverse + rounder;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    codes[i] = (signed char)(bits & 0xff);
    residual[i] = residual[i] - (shifted - rounder) * unit;
  }
}
CK_VARIANTS(ck_encode_eight_bit, encode_body,
            (float *residual, const float *gradient, unsigned char *bytes, long count),
            (residual, gradient, bytes, count))

static CK_INLINE void decode_loop(const unsigned char *bytes, float *values, long count, const int adds) {
  float scale;
  memcpy(&scale, bytes, sizeof scale);
  const float unit = scale / 127;
  const signed char *const codes = (const signed char *)bytes + sizeof scale;
  for (long i = 0; i < count; ++i) {
    const float value = (float)codes[i] * unit;
    values[i] = adds ? values[i] + value : value;
  }
}

static CK_INLINE void decode_body(const unsigned char *bytes, float *values, long count, int fused) {
  (void)fused;
  decode_loop(bytes, values, count, 0);
}
CK_VARIANTS(ck_decode_eight_bit, decode_body, (const unsigned char *bytes, float *values, long count),
            (bytes, values, count))

static CK_INLINE void add_body(const unsigned char *bytes, float *values, long count, int fused) {
  (void)fused;
  decode_loop(bytes, values, count, 1);
}
CK_VARIANTS(ck_add_eight_bit, add_body, (const unsigned char *bytes, float *values, long count),
            (bytes, values, count))
