// What Linux says of a thread's processor cores, and the C library of itself; Swift's Glibc module has neither.
#ifndef CK_PROCESSOR_H
#define CK_PROCESSOR_H

/// Cores that a set can name: 0 ..< CK_MOST_CORES.
#define CK_MOST_CORES 1024

/// Writes the numbers of the cores that the calling thread may run on, ascending, and returns how many there are.
int ck_affinity(int *cores);

/// Lets the calling thread, and threads that it starts later, run on these cores; those not allowed are passed over.
/// Returns 0 where at least one is allowed.
int ck_set_affinity(const int *cores, int count);

/// "2.36" and the like.
const char *ck_c_library_version(void);

#endif
