// Which call fails, and how.
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[CALL_KINDS] = {"open",  "write", "fsync",    "rename", "link", "unlink",
                                              "rmdir", "mkdir", "truncate", "close",  "lock"};

static enum { NOTHING, FAIL, SHORT, KILL, STALL } action;
static bool is_counted[CALL_KINDS];
static long chosen;
static bool is_lasting;
static int error_number = EIO;
static long milliseconds;
static atomic_long count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static long number(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : atol(text);
}

// Whether a list such as `write,fsync` holds a name.
static bool holds(const char *list, const char *name) {
  size_t size = strlen(name);
  while (list != NULL) {
    if (strncmp(list, name, size) == 0 && (list[size] == ',' || list[size] == 0)) return true;
    list = strchr(list, ',');
    if (list != NULL) list++;
  }
  return false;
}

static void read_environment(void) {
  const char *text = getenv("STORAGE_FAULTS_ACTION");
  if (text == NULL) return;
  if (strcmp(text, "fail") == 0) action = FAIL;
  if (strcmp(text, "short") == 0) action = SHORT;
  if (strcmp(text, "kill") == 0) action = KILL;
  if (strcmp(text, "stall") == 0) action = STALL;
  const char *calls = getenv("STORAGE_FAULTS_CALLS");
  for (int kind = 0; kind < CALL_KINDS; kind++) is_counted[kind] = calls == NULL || holds(calls, names[kind]);
  chosen = number("STORAGE_FAULTS_AT", 0);
  is_lasting = number("STORAGE_FAULTS_LASTING", 0) == 1;
  error_number = (int)number("STORAGE_FAULTS_ERROR", EIO);
  milliseconds = number("STORAGE_FAULTS_MILLISECONDS", 0);
}

struct verdict judge(enum storage_call kind) {
  struct verdict verdict = {false, false, 0};
  pthread_once(&once, read_environment);
  if (action == NOTHING || !is_counted[kind]) return verdict;
  long here = atomic_fetch_add(&count, 1) + 1;
  if (here != chosen && !(is_lasting && here > chosen)) return verdict;
  switch (action) {
    case FAIL:
      verdict.fails = true;
      verdict.error = error_number;
      break;
    case SHORT: verdict.is_short = kind == CALL_WRITE; break;
    case KILL: kill(getpid(), SIGKILL); break;
    case STALL: {
      struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
      nanosleep(&time, NULL);
      break;
    }
    case NOTHING: break;
  }
  return verdict;
}
