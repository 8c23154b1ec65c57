#include "include/batch_norm.h"

#include <math.h>

#include "element.h"
#include "parts.h"

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

#define CK_BODY "batch_norm-body.h"
#include "instruction-sets.h"

void CK_FOR_ELEMENT(ck_batch_norm_forward)(const ck_batch_norm_forward_job *job, ck_team team, int parts) {
  ck_norm_work work = {.forward = job, .parts = parts};
  ck_run_parts(CK_EFFECTIVE(norm_forward), &work, team, parts);
}

void CK_FOR_ELEMENT(ck_batch_norm_backward)(const ck_batch_norm_backward_job *job, ck_team team, int parts) {
  ck_norm_work work = {.backward = job, .parts = parts};
  ck_run_parts(CK_EFFECTIVE(norm_backward), &work, team, parts);
}

#if !CK_BFLOAT16
void ck_batch_norm_forward_bfloat16(const ck_batch_norm_forward_job *job, ck_team team, int parts);
void ck_batch_norm_backward_bfloat16(const ck_batch_norm_backward_job *job, ck_team team, int parts);

void ck_batch_norm_forward(const ck_batch_norm_forward_job *job, ck_team team, int parts) {
  (job->shape.storage == CK_IN_BFLOAT16 ? ck_batch_norm_forward_bfloat16 : ck_batch_norm_forward_float32)(
      job, team, parts);
}

void ck_batch_norm_backward(const ck_batch_norm_backward_job *job, ck_team team, int parts) {
  (job->shape.storage == CK_IN_BFLOAT16 ? ck_batch_norm_backward_bfloat16 : ck_batch_norm_backward_float32)(
      job, team, parts);
}
#endif
