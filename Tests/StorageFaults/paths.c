// Which paths and descriptors are below the root.
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DESCRIPTORS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[DESCRIPTORS];

// The root as it was given and without symbolic links; a program may use either.
static char roots[2][PATH_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_root(void) {
  const char *given = getenv("STORAGE_FAULTS_ROOT");
  if (given == NULL || given[0] != '/' || strlen(given) >= PATH_MAX) return;
  strcpy(roots[0], given);
  if (realpath(given, roots[1]) == NULL) strcpy(roots[1], given);
}

// Removes `//`, `/.`, `/x/..` and a slash at the end from an absolute path, in place.
static void tidy(char *path) {
  char *out = path;
  const char *in = path;
  while (*in != 0) {
    while (*in == '/') in++;
    size_t size = strcspn(in, "/");
    if (size == 0 || (size == 1 && in[0] == '.')) {
    } else if (size == 2 && in[0] == '.' && in[1] == '.') {
      while (out > path && *--out != '/') {
      }
    } else {
      *out++ = '/';
      memmove(out, in, size);
      out += size;
    }
    in += size;
  }
  *out = 0;
}

bool path_below(int directory, const char *path, char relative[4096]) {
  pthread_once(&once, read_root);
  if (roots[0][0] == 0 || path == NULL || path[0] == 0) return false;
  int saved = errno;
  char whole[2 * PATH_MAX] = "";
  if (path[0] != '/') {
    char place[64] = "/proc/self/cwd";
    if (directory != AT_FDCWD) snprintf(place, sizeof place, "/proc/self/fd/%d", directory);
    ssize_t size = readlink(place, whole, PATH_MAX - 1);
    whole[size < 0 ? 0 : size] = 0;
  }
  errno = saved;
  if (strlen(path) >= PATH_MAX) return false;
  strcat(whole, "/");
  strcat(whole, path);
  tidy(whole);
  for (int i = 0; i < 2; i++) {
    size_t size = strlen(roots[i]);
    if (strncmp(whole, roots[i], size) == 0 && whole[size] == '/' && strlen(whole + size + 1) < 4096) {
      strcpy(relative, whole + size + 1);
      return true;
    }
    // The root itself, whose entries a program may flush.
    if (strcmp(whole, roots[i]) == 0) {
      strcpy(relative, "");
      return true;
    }
  }
  return false;
}

bool path_of_descriptor(int descriptor, char relative[4096]) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS) return false;
  pthread_mutex_lock(&lock);
  bool found = paths[descriptor] != NULL;
  if (found) strcpy(relative, paths[descriptor]);
  pthread_mutex_unlock(&lock);
  return found;
}

void remember_descriptor(int descriptor, const char *relative) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS) return;
  char *copy = relative == NULL ? NULL : strdup(relative);
  pthread_mutex_lock(&lock);
  char *old = paths[descriptor];
  paths[descriptor] = copy;
  pthread_mutex_unlock(&lock);
  free(old);
}
