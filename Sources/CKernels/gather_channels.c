#include "include/gather_channels.h"

#include "element.h"
#include "parts.h"

typedef struct {
  const ck_gather_channels_job *job;
  int parts;
} ck_gather_work;

#define CK_BODY "gather_channels-body.h"
#include "instruction-sets.h"

void CK_FOR_ELEMENT(ck_gather_channels)(const ck_gather_channels_job *job, ck_team team, int parts) {
  ck_gather_work work = {job, parts};
  void (*run)(void *, int) = CK_EFFECTIVE(gather_channels);
  ck_run_parts(run, &work, team, parts);
}

#if !CK_BFLOAT16
void ck_gather_channels_bfloat16(const ck_gather_channels_job *job, ck_team team, int parts);

void ck_gather_channels(const ck_gather_channels_job *job, ck_team team, int parts) {
  (job->storage == CK_IN_BFLOAT16 ? ck_gather_channels_bfloat16 : ck_gather_channels_float32)(job, team, parts);
}
#endif
