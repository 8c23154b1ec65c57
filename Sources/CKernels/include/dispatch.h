// Which instruction set the loops of this target run with, chosen at run time and the same for all of them.
#ifndef CK_DISPATCH_H
#define CK_DISPATCH_H

/// Instruction sets in ascending order. Bits may differ between them (baseline has no fused multiply-add), so the
/// effective one is part of a run's fingerprint.
typedef enum { CK_BASELINE = 0, CK_AVX2 = 1, CK_AVX512 = 2 } ck_instruction_set;

/// The highest set that the processor has, at most the one given to `ck_limit_instruction_set`.
ck_instruction_set ck_effective_instruction_set(void);

/// Lowers the highest set used from now on; for tests and for jobs over different machines. Call it before any other
/// thread uses a kernel.
void ck_limit_instruction_set(ck_instruction_set highest);

/// Whether bfloat16 is multiplied and rounded by instructions for it. Without them the bits are the same.
int ck_has_dots(void);

/// Does without those instructions from now on; for tests.
void ck_forgo_dots(void);

#endif
