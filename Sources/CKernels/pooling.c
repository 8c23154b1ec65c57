#include "include/pooling.h"

#include "variants.h"

typedef struct {
  ck_pool shape;
  const float *from;
  float *to;
  const unsigned char *places;
  unsigned char *places_to;
  int parts;
} ck_pool_work;

/// The window of output o along an axis, without what hangs over the image: positions first ..< last of 0 ..< kernel.
typedef struct {
  long first, last;
} ck_span;

static CK_INLINE ck_span ck_inside(long start, long kernel, long extent) {
  return (ck_span){start < 0 ? -start : 0, extent - start < kernel ? extent - start : kernel};
}

#define CK_BODY "pooling-body.h"
#include "instruction-sets.h"

static void run(void (*body)(void *context, int part), ck_pool_work work, ck_team team, int parts) {
  work.parts = parts;
  if (team)
    team(body, &work, parts);
  else
    for (int part = 0; part < parts; ++part) body(&work, part);
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
