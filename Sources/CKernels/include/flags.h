// Flags in memory that processes share: one writes, others wait.
#ifndef CK_FLAGS_H
#define CK_FLAGS_H

/// What this thread stored before is there for whoever then sees the value.
void ck_flag_raise(unsigned long *flag, unsigned long value);

/// Whether the flag has at least this value; then what was stored ahead of it is there.
int ck_flag_is_raised(const unsigned long *flag, unsigned long value);

/// Waits until the flag has at least this value. It looks `spins` times, then lets other threads run between looks, and after
/// about a millisecond sleeps between them, so that a long wait costs little.
void ck_flag_await(const unsigned long *flag, unsigned long value, long spins);

#endif
