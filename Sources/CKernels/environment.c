#include "include/environment.h"

#include <fenv.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

void ck_set_float_environment(void) {
  fesetround(FE_TONEAREST);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // FTZ and DAZ
#elif defined(__aarch64__)
  unsigned long control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("msr fpcr, %0" ::"r"(control | (1ul << 24)));  // FZ
#endif
}
