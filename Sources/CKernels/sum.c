#include "include/sum.h"

#define CK_BODY "sum-body.h"
#include "instruction-sets.h"

void ck_sum(float *result, const float *const *vectors, long first, long count, const int *terms, int term_count) {
  CK_EFFECTIVE(sum)(result, vectors, first, count, terms, term_count);
}

void ck_sum_past_caches(
    float *result, const float *const *vectors, long first, long count, const int *terms, int term_count) {
  CK_EFFECTIVE(sum_past_caches)(result, vectors, first, count, terms, term_count);
#if defined(__x86_64__)
  // Such stores are not in order with a flag that is raised after them.
  _mm_sfence();
#endif
}
