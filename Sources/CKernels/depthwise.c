#include "include/depthwise.h"

#include "variants.h"

typedef struct {
  const ck_depthwise_job *job;
  int parts;
} ck_depthwise_work;

/// What stands in for elements beside an image.
static const float zeros[16] __attribute__((aligned(64)));

/// Positions first ..< last of 0 ..< kernel that lie inside of an image whose window starts at `start`.
typedef struct {
  long first, last;
} ck_taps;

static CK_INLINE ck_taps ck_taps_inside(long start, long kernel, long extent) {
  return (ck_taps){start < 0 ? -start : 0, extent - start < kernel ? extent - start : kernel};
}

#define CK_BODY "depthwise-body.h"
#include "instruction-sets.h"

long ck_depthwise_scratch(const ck_depthwise *shape, ck_pass pass, int parts) {
  return pass == CK_BACKWARD_WEIGHTS ? parts * shape->width * ck_block() : 0;
}

typedef void (*ck_phase)(void *context, int part);

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
  if (team)
    team(loop, &work, parts);
  else
    for (int part = 0; part < parts; ++part) loop(&work, part);
}
