// How a loop of this target is written once and compiled for every instruction set.
//
//   static CK_INLINE void scale_body(float *x, float a, long n, int fused) {
//     for (long i = 0; i < n; ++i) x[i] = CK_FMA(fused, x[i], a, 1.0f);
//   }
//   CK_VARIANTS(ck_scale, scale_body, (float *x, float a, long n), (x, a, n))
//
// defines `void ck_scale(float *x, float a, long n)`, which calls the body compiled for the effective instruction set.
// A fused multiply-add stands where CK_FMA is written and nowhere else: contraction by the compiler is off, so an
// element has the same bits in a vector's body and in its tail, wherever a slice starts (numerics contract, rule 10).
#ifndef CK_VARIANTS_H
#define CK_VARIANTS_H
#include "include/dispatch.h"

#pragma clang fp contract(off)

#define CK_INLINE inline __attribute__((always_inline))

/// a·b + c, rounded once where `fused` (a compile-time constant after inlining), else twice.
#define CK_FMA(fused, a, b, c) ((fused) ? __builtin_fmaf((a), (b), (c)) : (a) * (b) + (c))

#define CK_UNPACK(...) __VA_ARGS__

#if defined(__x86_64__)
#define CK_VARIANTS(name, body, parameters, arguments)                                              \
  static void name##_baseline parameters { body(CK_UNPACK arguments, 0); }                          \
  __attribute__((target("avx2,fma"))) static void name##_avx2 parameters { body(CK_UNPACK arguments, 1); } \
  __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"), min_vector_width(512)))     \
  static void name##_avx512 parameters { body(CK_UNPACK arguments, 1); }                            \
  void name parameters {                                                                            \
    switch (ck_effective_instruction_set()) {                                                       \
      case CK_AVX512: name##_avx512 arguments; return;                                              \
      case CK_AVX2: name##_avx2 arguments; return;                                                  \
      default: name##_baseline arguments;                                                           \
    }                                                                                               \
  }
#else
#define CK_VARIANTS(name, body, parameters, arguments) \
  void name parameters { body(CK_UNPACK arguments, 0); }
#endif

#endif
