#include "include/first_convolution.h"

#include "parts.h"

typedef struct {
  const ck_first_convolution_job *job;
  /// Extents of an image with its padding.
  long padded_height, padded_width;
  int parts;
} ck_first_work;

static ck_first_work lay_out(const ck_first_convolution *s, int parts) {
  const long height = (s->out_height - 1) * s->stride + s->kernel, width = (s->out_width - 1) * s->stride + s->kernel;
  return (ck_first_work){.padded_height = height, .padded_width = width, .parts = parts};
}

static long image_floats(const ck_first_convolution *s, const ck_first_work *w) {
  return (s->channels * w->padded_height * w->padded_width + 15) / 16 * 16;
}

#define CK_BODY "first_convolution-body.h"
#include "instruction-sets.h"

long ck_first_convolution_scratch(const ck_first_convolution *shape, int parts) {
  const ck_first_work w = lay_out(shape, parts);
  return parts * image_floats(shape, &w);
}

void ck_first_convolution_weights(const ck_first_convolution_job *job, ck_team team, int parts) {
  ck_first_work w = lay_out(&job->shape, parts);
  w.job = job;
  void (*const loop)(void *context, int part) = CK_EFFECTIVE(first_weight_gradient);
  ck_run_parts(loop, &w, team, parts);
}
