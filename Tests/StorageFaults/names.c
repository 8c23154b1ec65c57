// Calls on names: opening, making, renaming and removing.
#define _GNU_SOURCE
// The plain forms are defined here.
#undef _FORTIFY_SOURCE
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(int directory, const char *path, int flags, mode_t mode) {
  char relative[4096];
  if (!path_below(directory, path, relative)) {
    int descriptor = NEXT(openat)(directory, path, flags, mode);
    if (descriptor >= 0) remember_descriptor(descriptor, NULL);
    return descriptor;
  }
  struct verdict verdict = judge(CALL_OPEN);
  struct record record = {.kind = CALL_OPEN, .flags = flags, .injected = verdict.fails};
  trace_begin();
  int descriptor = -1;
  if (verdict.fails) {
    errno = verdict.error;
  } else {
    descriptor = NEXT(openat)(directory, path, flags, mode);
    if (descriptor >= 0) remember_descriptor(descriptor, relative);
  }
  record.result = record.descriptor = descriptor;
  trace_end(record, relative, NULL, NULL);
  return descriptor;
}

#define MODE_OF(flags)                                   \
  mode_t mode = 0;                                       \
  if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
    va_list list;                                        \
    va_start(list, flags);                               \
    mode = va_arg(list, mode_t);                         \
    va_end(list);                                        \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_file(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_file(directory, path, flags, mode);
}

int __open_2(const char *path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int __openat_2(int directory, const char *path, int flags) { return open_file(directory, path, flags, 0); }
int __openat64_2(int directory, const char *path, int flags) { return open_file(directory, path, flags, 0); }
int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

// Counted as an open, and not recorded: it changes nothing.
DIR *opendir(const char *path) {
  char relative[4096];
  if (path_below(AT_FDCWD, path, relative)) {
    struct verdict verdict = judge(CALL_OPEN);
    if (verdict.fails) {
      errno = verdict.error;
      return NULL;
    }
  }
  return NEXT(opendir)(path);
}

// A call on one name or two that gives 0 or -1: `call` makes it.
static int simple(
    enum storage_call kind, const char *relative, const char *other, int flags, int (*call)(const void *),
    const void *arguments) {
  struct verdict verdict = judge(kind);
  struct record record = {.kind = kind, .descriptor = -1, .flags = flags, .injected = verdict.fails};
  trace_begin();
  if (verdict.fails) errno = verdict.error;
  record.result = verdict.fails ? -1 : call(arguments);
  trace_end(record, relative, other, NULL);
  return (int)record.result;
}

struct names {
  int directory;
  const char *path;
  int other_directory;
  const char *other;
  unsigned number;
};

static int call_rename(const void *arguments) {
  const struct names *names = arguments;
  return NEXT(renameat2)(names->directory, names->path, names->other_directory, names->other, names->number);
}

static int call_link(const void *arguments) {
  const struct names *names = arguments;
  return NEXT(linkat)(names->directory, names->path, names->other_directory, names->other, (int)names->number);
}

static int call_unlink(const void *arguments) {
  const struct names *names = arguments;
  return NEXT(unlinkat)(names->directory, names->path, (int)names->number);
}

static int call_mkdir(const void *arguments) {
  const struct names *names = arguments;
  return NEXT(mkdirat)(names->directory, names->path, names->number);
}

// Two names of which one is outside are not seen: nobody asks for that here.
int renameat2(int directory, const char *path, int other_directory, const char *other, unsigned flags) {
  char relative[4096], second[4096];
  struct names names = {directory, path, other_directory, other, flags};
  if (!path_below(directory, path, relative) || !path_below(other_directory, other, second)) return call_rename(&names);
  return simple(CALL_RENAME, relative, second, (int)flags, call_rename, &names);
}

int rename(const char *path, const char *other) { return renameat2(AT_FDCWD, path, AT_FDCWD, other, 0); }

int renameat(int directory, const char *path, int other_directory, const char *other) {
  return renameat2(directory, path, other_directory, other, 0);
}

int linkat(int directory, const char *path, int other_directory, const char *other, int flags) {
  char relative[4096], second[4096];
  struct names names = {directory, path, other_directory, other, (unsigned)flags};
  if (!path_below(directory, path, relative) || !path_below(other_directory, other, second)) return call_link(&names);
  return simple(CALL_LINK, relative, second, flags, call_link, &names);
}

int link(const char *path, const char *other) { return linkat(AT_FDCWD, path, AT_FDCWD, other, 0); }

int unlinkat(int directory, const char *path, int flags) {
  char relative[4096];
  struct names names = {.directory = directory, .path = path, .number = (unsigned)flags};
  if (!path_below(directory, path, relative)) return call_unlink(&names);
  return simple(flags & AT_REMOVEDIR ? CALL_RMDIR : CALL_UNLINK, relative, NULL, flags, call_unlink, &names);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char *path) {
  if (unlink(path) == 0) return 0;
  return errno == EISDIR || errno == EPERM ? rmdir(path) : -1;
}

int mkdirat(int directory, const char *path, mode_t mode) {
  char relative[4096];
  struct names names = {.directory = directory, .path = path, .number = mode};
  if (!path_below(directory, path, relative)) return call_mkdir(&names);
  return simple(CALL_MKDIR, relative, NULL, 0, call_mkdir, &names);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
