#include "include/dispatch.h"

#include <stdatomic.h>

#include "include/pass.h"

static atomic_int highest_allowed = CK_AVX512;
static atomic_int effective = -1;

static ck_instruction_set highest_of_processor(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw"))
    return CK_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CK_AVX2;
#endif
  return CK_BASELINE;
}

ck_instruction_set ck_effective_instruction_set(void) {
  int known = atomic_load_explicit(&effective, memory_order_relaxed);
  if (known < 0) {
    int allowed = atomic_load_explicit(&highest_allowed, memory_order_relaxed);
    known = highest_of_processor();
    if (known > allowed) known = allowed;
    atomic_store_explicit(&effective, known, memory_order_relaxed);
  }
  return (ck_instruction_set)known;
}

void ck_limit_instruction_set(ck_instruction_set highest) {
  atomic_store_explicit(&highest_allowed, highest, memory_order_relaxed);
  atomic_store_explicit(&effective, -1, memory_order_relaxed);
}

int ck_block(void) { return ck_effective_instruction_set() == CK_AVX512 ? 16 : 8; }

static atomic_int forgoes_dots = 0;

int ck_has_dots(void) {
#if defined(__x86_64__)
  return ck_effective_instruction_set() == CK_AVX512 && !atomic_load_explicit(&forgoes_dots, memory_order_relaxed) &&
         __builtin_cpu_supports("avx512bf16");
#else
  return 0;
#endif
}

void ck_forgo_dots(void) { atomic_store_explicit(&forgoes_dots, 1, memory_order_relaxed); }
