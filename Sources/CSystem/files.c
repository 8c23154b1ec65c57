#define _GNU_SOURCE
#include "include/CSystem.h"

#include <fcntl.h>
#include <stdio.h>

int cs_exchange(const char *one, const char *other) {
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}
