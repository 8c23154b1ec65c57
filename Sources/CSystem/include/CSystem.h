// What the system offers and Swift's C library module does not: words that processes share, work in signal handlers, files that
// change places.
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <stdint.h>

/// A word that several processes or threads read and one writes; no other memory is in order with it.
static inline void cs_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
static inline uint64_t cs_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

/// From now on a thread that gets `signal` appends its stack to a file, or does nothing if `path` is empty. Calls that it
/// interrupts are restarted.
void cs_write_stacks(int signal, const char *path);

/// Sends `signal` to every thread of a process, one after another. Returns how many there were, or -1.
int cs_signal_threads(int process, int signal);

/// From now on a fault of this process (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) stores its number and `mark` before it ends the
/// process as it would have.
void cs_note_faults(uint64_t *word, uint64_t mark);

/// Kills a process by SIGKILL `seconds` from now, from a process of its own, whatever happens to the caller meanwhile.
void cs_kill_later(int process, int seconds);

/// The state letter of a process as in /proc (R, S, D, T, Z, …), 0 if there is none.
char cs_process_state(int process);

/// The parent of a process, 0 if there is none.
int cs_process_parent(int process);

/// Has two files or directories change places at once. Returns 0, or -1 with `errno` where there are not two, or the file
/// system cannot.
int cs_exchange(const char *one, const char *other);

#endif
