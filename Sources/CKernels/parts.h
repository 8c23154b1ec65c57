// What the kernels that share their work over parts have in common.
#ifndef CK_PARTS_H
#define CK_PARTS_H
#include "include/pass.h"
#include "variants.h"

typedef void (*ck_phase)(void *context, int part);

/// All parts by the team, or without one after another.
static inline void ck_run_parts(ck_phase phase, void *context, ck_team team, int parts) {
  if (team)
    team(phase, context, parts);
  else
    for (int part = 0; part < parts; ++part) phase(context, part);
}

/// Positions first ..< last of 0 ..< kernel that lie inside of an image, along an axis.
typedef struct {
  long first, last;
} ck_span;

/// Those of a window that starts at `start`.
static CK_INLINE ck_span ck_inside(long start, long kernel, long extent) {
  return (ck_span){start < 0 ? -start : 0, extent - start < kernel ? extent - start : kernel};
}

#endif
