#include "include/depthwise.h"

#include "parts.h"

typedef struct {
  const ck_depthwise_job *job;
  int parts;
} ck_depthwise_work;

/// What stands in for elements beside an image.
static const float zeros[16] __attribute__((aligned(64)));

#define CK_BODY "depthwise-body.h"
#include "instruction-sets.h"

long ck_depthwise_scratch(const ck_depthwise *shape, ck_pass pass, int parts) {
  return pass == CK_BACKWARD_WEIGHTS ? parts * shape->width * ck_block() : 0;
}

static ck_phase loop_of(ck_pass pass) {
  switch (pass) {
    case CK_FORWARD: return CK_EFFECTIVE(depthwise_forward);
    case CK_BACKWARD_DATA: return CK_EFFECTIVE(depthwise_backward_data);
    default: return CK_EFFECTIVE(depthwise_weight_gradient);
  }
}

void ck_depthwise_run(const ck_depthwise_job *job, ck_pass pass, ck_team team, int parts) {
  const ck_phase loop = loop_of(pass);
  ck_depthwise_work work = {.job = job, .parts = parts};
  ck_run_parts(loop, &work, team, parts);
}
