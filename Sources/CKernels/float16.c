#include "include/float16.h"

#include "lanes.h"

// Integer arithmetic, because only some instruction sets have the conversion; the compiler makes vectors of it.

static CK_INLINE unsigned short rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  // Below 2⁻¹⁴ an addition rounds: next to ½ a unit in the last place is the least float16.
  const float beside_half = ck_float_of_bits(magnitude) + 0.5f;
  uint32_t denormal;
  memcpy(&denormal, &beside_half, sizeof denormal);
  denormal -= 0x3f000000;
  const uint32_t normal = (magnitude - ((127u - 15) << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  const uint32_t no_number = 0x7e00 | ((magnitude >> 13) & 0x3ff);
  uint32_t result = magnitude < (113u << 23) ? denormal : normal;
  result = magnitude >= (143u << 23) ? 0x7c00 : result;
  result = magnitude > (255u << 23) ? no_number : result;
  return (unsigned short)(result | sign);
}

static CK_INLINE float widened(unsigned short half) {
  const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
  const uint32_t normal = magnitude + ((127u - 15) << 23), no_number = magnitude | (255u << 23);
  // A denormal is what exceeds 2⁻¹⁴ in the number that has its digits behind that.
  const float exceeding = ck_float_of_bits(magnitude + (113u << 23)) - 0x1p-14f;
  uint32_t denormal;
  memcpy(&denormal, &exceeding, sizeof denormal);
  uint32_t result = magnitude < (1u << 23) ? denormal : normal;
  result = magnitude >= (31u << 23) ? no_number : result;
  return ck_float_of_bits(result | sign);
}

static CK_INLINE void round_body(const float *from, unsigned short *to, long count, int fused) {
  (void)fused;
  for (long i = 0; i < count; ++i) to[i] = rounded(from[i]);
}
CK_VARIANTS(ck_round_to_float16, round_body, (const float *from, unsigned short *to, long count), (from, to, count))

static CK_INLINE void widen_body(const unsigned short *from, float *to, long count, int fused) {
  (void)fused;
  for (long i = 0; i < count; ++i) to[i] = widened(from[i]);
}
CK_VARIANTS(ck_widen_float16, widen_body, (const unsigned short *from, float *to, long count), (from, to, count))

static CK_INLINE void add_body(const unsigned short *from, float *to, long count, int fused) {
  (void)fused;
  for (long i = 0; i < count; ++i) to[i] += widened(from[i]);
}
CK_VARIANTS(ck_add_float16, add_body, (const unsigned short *from, float *to, long count), (from, to, count))
