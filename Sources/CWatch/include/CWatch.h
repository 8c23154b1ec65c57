// What a watchdog needs of the system and Swift does not offer: words that processes share, and work in signal handlers.
#ifndef CWATCH_H
#define CWATCH_H

#include <stdint.h>

/// A word that several processes or threads read and one writes; no other memory is in order with it.
static inline void cw_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
static inline uint64_t cw_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

/// From now on a thread that gets `signal` appends its stack to a file. Calls it interrupts are restarted.
void cw_write_stacks(int signal, const char *path);

/// Sends `signal` to every thread of a process, one after another. Returns how many there were, or -1.
int cw_signal_threads(int process, int signal);

/// From now on a fault of this process (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) stores its number and `mark` before it ends the
/// process as it would have.
void cw_note_faults(uint64_t *word, uint64_t mark);

/// Kills a process by SIGKILL `seconds` from now, from a process of its own, whatever happens to the caller meanwhile.
void cw_kill_later(int process, int seconds);

/// The state letter of a process as in /proc (R, S, D, T, Z, …), 0 if there is none.
char cw_process_state(int process);

#endif
