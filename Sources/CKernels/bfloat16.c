#include "include/bfloat16.h"

#include <string.h>

#define CK_BFLOAT16 1
#include "variants.h"

#define CK_BODY "bfloat16-body.h"
#include "instruction-sets.h"

void ck_round_to_bfloat16(const float *from, unsigned short *to, long count) {
  CK_EFFECTIVE(round_all)(from, to, count);
}

void ck_widen_bfloat16(const unsigned short *from, float *to, long count) {
  CK_EFFECTIVE(widen_all)(from, to, count);
}

void ck_add_bfloat16(const unsigned short *from, float *to, long count) { CK_EFFECTIVE(add_all)(from, to, count); }
