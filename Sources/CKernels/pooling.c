#include "include/pooling.h"

#include "parts.h"

typedef struct {
  ck_pool shape;
  const float *from;
  float *to;
  const unsigned char *places;
  unsigned char *places_to;
  int parts;
} ck_pool_work;

#define CK_BODY "pooling-body.h"
#include "instruction-sets.h"

static void run(ck_phase phase, ck_pool_work work, ck_team team, int parts) {
  work.parts = parts;
  ck_run_parts(phase, &work, team, parts);
}

void ck_max_pool_forward(
    const ck_pool *shape, const float *source, float *result, unsigned char *places, ck_team team, int parts) {
  run(CK_EFFECTIVE(max_forward), (ck_pool_work){.shape = *shape, .from = source, .to = result, .places_to = places},
      team, parts);
}

void ck_max_pool_backward(
    const ck_pool *shape, const unsigned char *places, const float *diff_result, float *diff_source, ck_team team,
    int parts) {
  run(CK_EFFECTIVE(max_backward),
      (ck_pool_work){.shape = *shape, .from = diff_result, .to = diff_source, .places = places}, team, parts);
}

void ck_average_pool_forward(const ck_pool *shape, const float *source, float *result, ck_team team, int parts) {
  run(CK_EFFECTIVE(average_forward), (ck_pool_work){.shape = *shape, .from = source, .to = result}, team, parts);
}

void ck_average_pool_backward(
    const ck_pool *shape, const float *diff_result, float *diff_source, ck_team team, int parts) {
  run(CK_EFFECTIVE(average_backward), (ck_pool_work){.shape = *shape, .from = diff_result, .to = diff_source}, team,
      parts);
}
