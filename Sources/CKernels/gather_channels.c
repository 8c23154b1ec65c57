#include "include/gather_channels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "variants.h"

typedef struct {
  const ck_gather_channels_job *job;
  int parts;
} ck_gather_work;

#define CK_BODY "gather_channels-body.h"
#include "instruction-sets.h"

void ck_gather_channels(const ck_gather_channels_job *job, ck_team team, int parts) {
  ck_gather_work work = {job, parts};
  void (*run)(void *, int) = CK_EFFECTIVE(gather_channels);
  if (team)
    team(run, &work, parts);
  else
    for (int part = 0; part < parts; ++part) run(&work, part);
}
