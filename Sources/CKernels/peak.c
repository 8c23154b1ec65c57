#include "include/peak.h"

#include "variants.h"

// The chains tend to 1, so no number is ever subnormal or infinite.
#define CHAINS(name, attribute, width, step)                                                        \
  attribute static double name(long rounds) {                                                       \
    typedef float lanes __attribute__((vector_size(4 * (width))));                                  \
    const lanes factor = (lanes){} + 0.999f, addend = (lanes){} + 0.001f;                           \
    lanes a = factor, b = a + 1, c = a + 2, d = a + 3, e = a + 4;                                   \
    lanes f = a + 5, g = a + 6, h = a + 7, i = a + 8, j = a + 9;                                    \
    for (long round = 0; round < rounds; ++round) {                                                 \
      a = step(a), b = step(b), c = step(c), d = step(d), e = step(e);                              \
      f = step(f), g = step(g), h = step(h), i = step(i), j = step(j);                              \
    }                                                                                               \
    const lanes sum = a + b + c + d + e + f + g + h + i + j;                                        \
    keep = sum[0];                                                                                  \
    return 20.0 * (width) * (double)rounds;                                                         \
  }

// Where a result goes that nobody needs, so that the compiler computes it.
static _Thread_local volatile float keep;

#define FUSED(x) __builtin_elementwise_fma(x, factor, addend)
#define SEPARATE(x) ((x) * factor + addend)

// Every 64-bit ARM has fused multiply-adds; the oldest x86 processors have not.
#if defined(__aarch64__)
CHAINS(chains_baseline, , 4, FUSED)
#else
CHAINS(chains_baseline, , 4, SEPARATE)
#endif
#if defined(__x86_64__)
CHAINS(chains_avx2, __attribute__((target("avx2,fma"))), 8, FUSED)
CHAINS(chains_avx512, __attribute__((target("avx2,fma,avx512f,avx512vl"), min_vector_width(512))), 16, FUSED)
#endif

double ck_multiply_adds(long rounds) {
  switch (ck_effective_instruction_set()) {
#if defined(__x86_64__)
    case CK_AVX512: return chains_avx512(rounds);
    case CK_AVX2: return chains_avx2(rounds);
#endif
    default: return chains_baseline(rounds);
  }
}
