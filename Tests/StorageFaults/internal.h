#ifndef STORAGE_FAULTS_INTERNAL_H
#define STORAGE_FAULTS_INTERNAL_H

#include "storage_faults.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// The next library's function of this name.
#define NEXT(name) ((__typeof__(&name))next_function(#name))
void *next_function(const char *name);

// --- paths.c

// A path below the root, relative to it; false for any other. `directory` is what relative paths start from.
bool path_below(int directory, const char *path, char relative[4096]);
// Which file below the root a descriptor stands for; false for any other.
bool path_of_descriptor(int descriptor, char relative[4096]);
// Remembers that; NULL forgets.
void remember_descriptor(int descriptor, const char *relative);

// --- faults.c

struct verdict {
  bool fails;
  bool is_short;
  int error;
};

// Counts a call, and kills or stalls where that is due.
struct verdict judge(enum storage_call kind);

// --- trace.c

// Between these two a call is made and recorded, so that the trace has the order of the calls.
void trace_begin(void);
// Keeps errno.
void trace_end(struct record record, const char *path, const char *other, const void *data);

#endif
