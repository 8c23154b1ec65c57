// Counts what the calling thread allocates: this library's malloc stands before the C library's in every program that is
// linked with it.
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stddef.h>

// Starts counting on the calling thread.
void allocations_begin(void);
// Bytes in use at the highest point since then, beyond those in use at the start.
size_t allocations_peak(void);

#endif
