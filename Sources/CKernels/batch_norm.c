#include "include/batch_norm.h"

#include <math.h>

#include "register-tile.h"
#include "variants.h"

// Vectors are passed between functions that are always inlined, so no calling convention is at stake.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang diagnostic ignored "-Wunused-function"

typedef struct {
  const ck_batch_norm_forward_job *forward;
  const ck_batch_norm_backward_job *backward;
  int parts;
} ck_norm_work;

/// How the gradient before the ReLU is found: as it is, by the result, or by computing z again from the source.
enum { CK_UNMASKED, CK_BY_RESULT, CK_BY_SOURCE };

/// Images whose sums are added in single precision before they go on in double: enough for small images not to spend
/// their time on the latter.
static long images_together(const ck_batch_norm *shape) { return shape->area >= 256 ? 1 : 256 / shape->area; }

#define CK_NAME(x) x##_baseline
#define CK_WIDTH 8
#define CK_FUSED 0
#define CK_ROWS 6
#include "vectors-body.h"
#include "batch_norm-body.h"
#include "vectors-end.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_NAME(x) x##_avx2
#define CK_WIDTH 8
#define CK_FUSED 1
#define CK_ROWS 6
#include "vectors-body.h"
#include "batch_norm-body.h"
#include "vectors-end.h"
#pragma clang attribute pop

#pragma clang attribute push(                                                                           \
    __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"), min_vector_width(512))), apply_to = function)
#define CK_NAME(x) x##_avx512
#define CK_WIDTH 16
#define CK_FUSED 1
#define CK_ROWS 12
#include "vectors-body.h"
#include "batch_norm-body.h"
#include "vectors-end.h"
#pragma clang attribute pop
#endif

typedef void (*ck_phase)(void *context, int part);

#if defined(__x86_64__)
#define CK_EFFECTIVE(name)                                                \
  (ck_effective_instruction_set() == CK_AVX512 ? name##_avx512            \
   : ck_effective_instruction_set() == CK_AVX2 ? name##_avx2              \
                                               : name##_baseline)
#else
#define CK_EFFECTIVE(name) name##_baseline
#endif

static void run(ck_phase phase, ck_norm_work *work, ck_team team) {
  if (team)
    team(phase, work, work->parts);
  else
    for (int part = 0; part < work->parts; ++part) phase(work, part);
}

void ck_batch_norm_forward(const ck_batch_norm_forward_job *job, ck_team team, int parts) {
  ck_norm_work work = {.forward = job, .parts = parts};
  run(CK_EFFECTIVE(norm_forward), &work, team);
}

void ck_batch_norm_backward(const ck_batch_norm_backward_job *job, ck_team team, int parts) {
  ck_norm_work work = {.backward = job, .parts = parts};
  run(CK_EFFECTIVE(norm_backward), &work, team);
}
