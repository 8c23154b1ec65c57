#define _GNU_SOURCE
#include "include/processor.h"

#include <gnu/libc-version.h>
#include <sched.h>

_Static_assert(CK_MOST_CORES == CPU_SETSIZE, "a set names as many cores as the C library's");

int ck_affinity(int *cores) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  int count = 0;
  for (int core = 0; core < CK_MOST_CORES; ++core)
    if (CPU_ISSET(core, &set)) cores[count++] = core;
  return count;
}

int ck_set_affinity(const int *cores, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < count; ++i) CPU_SET(cores[i], &set);
  return sched_setaffinity(0, sizeof set, &set);
}

const char *ck_c_library_version(void) { return gnu_get_libc_version(); }
