#include "include/sum.h"

#define CK_BODY "sum-body.h"
#include "instruction-sets.h"

void ck_sum(float *result, const float *const *vectors, long first, long count, const int *terms, int term_count) {
  CK_EFFECTIVE(sum)(result, vectors, first, count, terms, term_count);
}
