// The record of all calls.
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void *next_function(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (function == NULL) abort();
  return function;
}

static void open_trace(void) {
  const char *path = getenv("STORAGE_FAULTS_TRACE");
  if (path == NULL) return;
  trace = NEXT(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (trace < 0) abort();
}

void trace_begin(void) {
  pthread_once(&once, open_trace);
  if (trace >= 0) pthread_mutex_lock(&lock);
}

void trace_end(struct record record, const char *path, const char *other, const void *data) {
  if (trace < 0) return;
  int saved = errno;
  record.error = record.result == -1 ? saved : 0;
  record.path_size = (uint32_t)strlen(path);
  record.other_size = other == NULL ? 0 : (uint32_t)strlen(other);
  struct iovec pieces[] = {{&record, sizeof record},
                           {(void *)path, record.path_size},
                           {(void *)other, record.other_size},
                           {(void *)data, record.data_size}};
  size_t size = sizeof record + record.path_size + record.other_size + record.data_size;
  // A trace that lacks a call would show states that cannot be.
  if (NEXT(writev)(trace, pieces, 4) != (ssize_t)size) abort();
  pthread_mutex_unlock(&lock);
  errno = saved;
}
