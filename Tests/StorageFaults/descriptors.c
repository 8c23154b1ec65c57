// Calls on open files.
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t failed(int error) {
  errno = error;
  return -1;
}

// Writes at a place, or where the file stands if `offset` is -1.
static ssize_t write_bytes(int descriptor, const void *data, size_t size, off_t offset, const char *path) {
  struct verdict verdict = judge(CALL_WRITE);
  struct record record = {.kind = CALL_WRITE, .descriptor = descriptor};
  trace_begin();
  bool is_short = verdict.is_short && size >= 2;
  if (is_short) size /= 2;
  ssize_t result;
  if (verdict.fails) {
    result = failed(verdict.error);
  } else if (offset >= 0) {
    result = NEXT(pwrite)(descriptor, data, size, offset);
    record.offset = offset;
  } else {
    result = NEXT(write)(descriptor, data, size);
    // Also right for a file that is appended to.
    if (result >= 0) record.offset = lseek(descriptor, 0, SEEK_CUR) - result;
  }
  record.injected = verdict.fails || is_short;
  record.result = result;
  record.data_size = result > 0 ? (uint64_t)result : 0;
  trace_end(record, path, NULL, data);
  return result;
}

ssize_t write(int descriptor, const void *data, size_t size) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(write)(descriptor, data, size);
  return write_bytes(descriptor, data, size, -1, path);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(pwrite)(descriptor, data, size, offset);
  return write_bytes(descriptor, data, size, offset, path);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
  return pwrite(descriptor, data, size, offset);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(writev)(descriptor, pieces, count);
  size_t size = 0;
  for (int i = 0; i < count; i++) size += pieces[i].iov_len;
  char *whole = malloc(size + 1);
  if (whole == NULL) return failed(ENOMEM);
  size = 0;
  for (int i = 0; i < count; i++) {
    memcpy(whole + size, pieces[i].iov_base, pieces[i].iov_len);
    size += pieces[i].iov_len;
  }
  ssize_t result = write_bytes(descriptor, whole, size, -1, path);
  int saved = errno;
  free(whole);
  errno = saved;
  return result;
}

// A call on a descriptor that gives 0 or -1: `call` makes it.
static int simple(enum storage_call kind, int descriptor, off_t offset, const char *path, int (*call)(int, off_t)) {
  struct verdict verdict = judge(kind);
  struct record record = {.kind = kind, .descriptor = descriptor, .offset = offset, .injected = verdict.fails};
  trace_begin();
  // Also a close that fails has closed.
  int result = verdict.fails && kind != CALL_CLOSE ? -1 : call(descriptor, offset);
  if (verdict.fails) result = (int)failed(verdict.error);
  record.result = result;
  trace_end(record, path, NULL, NULL);
  return result;
}

static int call_fsync(int descriptor, off_t offset) {
  (void)offset;
  return NEXT(fsync)(descriptor);
}

static int call_fdatasync(int descriptor, off_t offset) {
  (void)offset;
  return NEXT(fdatasync)(descriptor);
}

static int call_truncate(int descriptor, off_t offset) { return NEXT(ftruncate)(descriptor, offset); }

static int call_close(int descriptor, off_t offset) {
  (void)offset;
  // Before the number can be another file's.
  remember_descriptor(descriptor, NULL);
  return NEXT(close)(descriptor);
}

static int call_lock(int descriptor, off_t operation) { return NEXT(flock)(descriptor, (int)operation); }

int fsync(int descriptor) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(fsync)(descriptor);
  return simple(CALL_FSYNC, descriptor, 0, path, call_fsync);
}

int fdatasync(int descriptor) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(fdatasync)(descriptor);
  return simple(CALL_FSYNC, descriptor, 0, path, call_fdatasync);
}

int ftruncate(int descriptor, off_t size) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(ftruncate)(descriptor, size);
  return simple(CALL_TRUNCATE, descriptor, size, path, call_truncate);
}

int ftruncate64(int descriptor, off64_t size) { return ftruncate(descriptor, size); }

int close(int descriptor) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(close)(descriptor);
  return simple(CALL_CLOSE, descriptor, 0, path, call_close);
}

int flock(int descriptor, int operation) {
  char path[4096];
  if (!path_of_descriptor(descriptor, path)) return NEXT(flock)(descriptor, operation);
  return simple(CALL_LOCK, descriptor, operation, path, call_lock);
}
