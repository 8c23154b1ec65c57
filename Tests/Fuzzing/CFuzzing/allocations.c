#define _GNU_SOURCE
#include "allocations.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>

// The C library's own, under the names that it keeps for this purpose.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

// In memory that the loader reserves, since any other would be allocated on first use.
static __thread __attribute__((tls_model("initial-exec"))) intptr_t in_use, peak;

static void *added(void *block) {
  if (block == NULL) return block;
  in_use += (intptr_t)malloc_usable_size(block);
  if (in_use > peak) peak = in_use;
  return block;
}

static void removed(void *block) {
  if (block != NULL) in_use -= (intptr_t)malloc_usable_size(block);
}

void allocations_begin(void) { in_use = peak = 0; }
size_t allocations_peak(void) { return (size_t)peak; }

void *malloc(size_t size) { return added(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return added(__libc_calloc(count, size)); }

void *realloc(void *block, size_t size) {
  size_t old = block == NULL ? 0 : malloc_usable_size(block);
  void *result = __libc_realloc(block, size);
  if (result == NULL && size != 0) return NULL;
  in_use -= (intptr_t)old;
  return added(result);
}

void free(void *block) {
  removed(block);
  __libc_free(block);
}

void *memalign(size_t alignment, size_t size) { return added(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return added(__libc_memalign(alignment, size)); }

int posix_memalign(void **block, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *result = added(__libc_memalign(alignment, size));
  if (result == NULL) return ENOMEM;
  *block = result;
  return 0;
}
