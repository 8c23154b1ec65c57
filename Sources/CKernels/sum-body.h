// Included by instruction-sets.h.

#define CK_REGISTERS 8
#define CK_STRIDE (CK_REGISTERS * CK_WIDTH)
#define each_register _Pragma("clang loop unroll(full)") for (int r = 0; r < registers; ++r)

typedef float CK_NAME(aligned) __attribute__((vector_size(4 * CK_WIDTH), may_alias));

/// So many vectors of elements from `at` on. The sum that grows is in registers, those that wait for it in the cache. Past the
/// caches only from an aligned address on.
static CK_INLINE void CK_NAME(sum_run)(
    float *result, const float *const *vectors, long at, const int *terms, int term_count, float *waiting,
    const int registers, const int past_caches) {
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
  if (past_caches) {
    each_register __builtin_nontemporal_store(sum[r], (CK_NAME(aligned) *)(to + r * CK_WIDTH));
  } else {
    each_register CK_NAME(store)(to + r * CK_WIDTH, sum[r]);
  }
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

static CK_INLINE void CK_NAME(sum_all)(
    float *result, const float *const *vectors, long first, long count, const int *terms, int term_count,
    const int past_caches) {
  float waiting[CK_WAITING_SUMS * CK_STRIDE] __attribute__((aligned(64)));
  const long end = first + count;
  long at = first;
  if (past_caches) {
    for (; at < end && (unsigned long)(result + at) % (4 * CK_WIDTH) != 0; ++at)
      result[at] = CK_NAME(sum_element)(vectors, at, terms, term_count);
  }
  for (; at + CK_STRIDE <= end; at += CK_STRIDE)
    CK_NAME(sum_run)(result, vectors, at, terms, term_count, waiting, CK_REGISTERS, past_caches);
  for (; at + CK_WIDTH <= end; at += CK_WIDTH)
    CK_NAME(sum_run)(result, vectors, at, terms, term_count, waiting, 1, past_caches);
  for (; at < end; ++at) result[at] = CK_NAME(sum_element)(vectors, at, terms, term_count);
}

static void CK_NAME(sum)(
    float *result, const float *const *vectors, long first, long count, const int *terms, int term_count) {
  CK_NAME(sum_all)(result, vectors, first, count, terms, term_count, 0);
}

static void CK_NAME(sum_past_caches)(
    float *result, const float *const *vectors, long first, long count, const int *terms, int term_count) {
  CK_NAME(sum_all)(result, vectors, first, count, terms, term_count, 1);
}

#undef CK_REGISTERS
#undef CK_STRIDE
#undef each_register
