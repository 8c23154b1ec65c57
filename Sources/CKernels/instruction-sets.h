// Compiles the loops of CK_BODY, a file name, for every instruction set: what variants.h does for a single loop, for loops
// whose layout depends on the width of a vector. CK_EFFECTIVE(name) is then the function `name` of the effective set.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "element.h"
#include "include/dispatch.h"
#include "register-tile.h"
#include "variants.h"

// Vectors are passed between functions that are always inlined, so no calling convention is at stake; and not every file
// needs all that the vectors can do.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang diagnostic ignored "-Wunused-function"

#define CK_NAME(x) x##_baseline
#define CK_WIDTH 8
#define CK_FUSED 0
#define CK_ROWS 6
#define CK_DOTS 0
#include "vectors-body.h"
#include CK_BODY
#include "vectors-end.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_NAME(x) x##_avx2
#define CK_WIDTH 8
#define CK_FUSED 1
#define CK_ROWS 6
#define CK_DOTS 0
#include "vectors-body.h"
#include CK_BODY
#include "vectors-end.h"
#pragma clang attribute pop

#pragma clang attribute push(                                                                           \
    __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"), min_vector_width(512))), apply_to = function)
#define CK_NAME(x) x##_avx512
#define CK_WIDTH 16
#define CK_FUSED 1
#define CK_ROWS 12
#define CK_DOTS 0
#include "vectors-body.h"
#include CK_BODY
#include "vectors-end.h"
#pragma clang attribute pop

#if CK_BFLOAT16
#pragma clang attribute push(                                                                                      \
    __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16"), min_vector_width(512))), \
    apply_to = function)
#define CK_NAME(x) x##_avx512_bf16
#define CK_WIDTH 16
#define CK_FUSED 1
#define CK_ROWS 12
#define CK_DOTS 1
#include "vectors-body.h"
#include CK_BODY
#include "vectors-end.h"
#pragma clang attribute pop
#define CK_BEST_AVX512(name) (ck_has_dots() ? name##_avx512_bf16 : name##_avx512)
#else
#define CK_BEST_AVX512(name) name##_avx512
#endif

#define CK_EFFECTIVE(name)                                     \
  (ck_effective_instruction_set() == CK_AVX512 ? CK_BEST_AVX512(name) \
   : ck_effective_instruction_set() == CK_AVX2 ? name##_avx2   \
                                               : name##_baseline)
#else
#define CK_EFFECTIVE(name) name##_baseline
#endif
