// The floating-point environment of a thread.
#ifndef CK_ENVIRONMENT_H
#define CK_ENVIRONMENT_H

/// Rounds to nearest and flushes subnormal results and inputs to zero, in the calling thread and in threads it starts.
/// Every thread that computes calls this first, so that none differs (numerics contract, rule 10); without it a few
/// vanishing weights can slow a step several times.
void ck_set_float_environment(void);

#endif
