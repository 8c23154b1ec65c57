// Included by instruction-sets.h.

#define CK_REGISTERS 8
#define CK_STRIDE (CK_REGISTERS * CK_WIDTH)
#define each_register _Pragma("clang loop unroll(full)") for (int r = 0; r < registers; ++r)

/// So many vectors of elements from `at` on. The sum that grows is in registers, those that wait for it in the cache.
static CK_INLINE void CK_NAME(sum_run)(
    float *result, const float *const *vectors, long at, const int *terms, int term_count, float *waiting,
    const int registers) {
  vector sum[CK_REGISTERS];
  each_register sum[r] = (vector){};
  long depth = 0;
  for (int t = 0; t < term_count; ++t) {
    const int term = terms[t];
    if (term <= CK_PLUS_VECTOR(0)) {
      const float *const x = vectors[CK_PLUS_VECTOR(term)] + at;
      each_register sum[r] += CK_NAME(load)(x + r * CK_WIDTH);
    } else if (term == CK_PLUS) {
      depth -= CK_STRIDE;
      each_register sum[r] = CK_NAME(load)(waiting + depth + r * CK_WIDTH) + sum[r];
    } else {
      const float *const x = vectors[term] + at;
      if (t > 0) {
        each_register CK_NAME(store)(waiting + depth + r * CK_WIDTH, sum[r]);
        depth += CK_STRIDE;
      }
      each_register sum[r] = CK_NAME(load)(x + r * CK_WIDTH);
    }
  }
  float *const to = result + at;
  each_register CK_NAME(store)(to + r * CK_WIDTH, sum[r]);
}

static float CK_NAME(sum_element)(const float *const *vectors, long at, const int *terms, int term_count) {
  float sums[CK_WAITING_SUMS + 1];
  int count = 0;
  for (int t = 0; t < term_count; ++t) {
    const int term = terms[t];
    if (term >= 0) {
      sums[count++] = vectors[term][at];
    } else if (term == CK_PLUS) {
      --count;
      sums[count - 1] += sums[count];
    } else {
      sums[count - 1] += vectors[CK_PLUS_VECTOR(term)][at];
    }
  }
  return sums[0];
}

static void CK_NAME(sum)(
    float *result, const float *const *vectors, long first, long count, const int *terms, int term_count) {
  float waiting[CK_WAITING_SUMS * CK_STRIDE] __attribute__((aligned(64)));
  const long end = first + count;
  long at = first;
  for (; at + CK_STRIDE <= end; at += CK_STRIDE)
    CK_NAME(sum_run)(result, vectors, at, terms, term_count, waiting, CK_REGISTERS);
  for (; at + CK_WIDTH <= end; at += CK_WIDTH)
    CK_NAME(sum_run)(result, vectors, at, terms, term_count, waiting, 1);
  for (; at < end; ++at) result[at] = CK_NAME(sum_element)(vectors, at, terms, term_count);
}

#undef CK_REGISTERS
#undef CK_STRIDE
#undef each_register
