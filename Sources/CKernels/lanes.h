// Vectors of sixteen lanes under every instruction set: a sum over lanes then has one order, whatever a register holds.
#ifndef CK_LANES_H
#define CK_LANES_H
#include <stdint.h>
#include <string.h>

#include "variants.h"

// Vectors are passed between functions that are always inlined, so no calling convention is at stake.
#pragma clang diagnostic ignored "-Wpsabi"

enum { CK_LANES = 16 };
typedef float ck_floats __attribute__((vector_size(4 * CK_LANES), aligned(4), may_alias));
typedef int ck_ints __attribute__((vector_size(4 * CK_LANES), aligned(4), may_alias));
typedef double ck_doubles __attribute__((vector_size(8 * CK_LANES)));
typedef _Bool ck_bools __attribute__((ext_vector_type(CK_LANES)));

static CK_INLINE ck_floats ck_lanes_at(const float *p) { return *(const ck_floats *)p; }
static CK_INLINE void ck_lanes_to(float *p, ck_floats v) { *(ck_floats *)p = v; }

static CK_INLINE ck_floats ck_all_lanes(float x) {
  const ck_floats v = {x};
  return __builtin_shufflevector(v, v, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

/// The bits of magnitudes: as integers they have the order of the magnitudes, and above all numbers is what is none.
static CK_INLINE ck_ints ck_magnitudes(ck_floats v) { return (ck_ints)v & 0x7fffffff; }

static inline uint32_t ck_magnitude(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x7fffffff;
}

static inline float ck_float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// Bit i says whether lane i of the mask is set.
static CK_INLINE unsigned ck_bits_of(ck_ints mask) {
  const ck_bools lanes = __builtin_convertvector(mask, ck_bools);
  uint16_t bits;
  memcpy(&bits, &lanes, sizeof bits);
  return bits;
}

/// The mask whose lane i is set where bit i is.
static CK_INLINE ck_ints ck_mask_of(unsigned bits) {
  const uint16_t word = (uint16_t)bits;
  ck_bools lanes;
  memcpy(&lanes, &word, sizeof word);
  return -__builtin_convertvector(lanes, ck_ints);
}

/// Lane i of `a` where the mask's is set, else that of `b`.
static CK_INLINE ck_floats ck_choose(ck_ints mask, ck_floats a, ck_floats b) {
  return (ck_floats)(((ck_ints)a & mask) | ((ck_ints)b & ~mask));
}

/// The lanes one after another, from the first.
static CK_INLINE double ck_sum_of(ck_doubles lanes) {
  double each[CK_LANES], sum = 0;
  memcpy(each, &lanes, sizeof each);
  for (int i = 0; i < CK_LANES; ++i) sum += each[i];
  return sum;
}

#endif
