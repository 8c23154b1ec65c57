// Between floats and bfloat16: the upper half of a float, eight bits of precision.
#ifndef CK_BFLOAT16_H
#define CK_BFLOAT16_H

/// To the nearest, ties to even. Denormals become zero, and what is not a number stays so.
void ck_round_to_bfloat16(const float *from, unsigned short *to, long count);

/// Exact.
void ck_widen_bfloat16(const unsigned short *from, float *to, long count);

/// to[i] += from[i].
void ck_add_bfloat16(const unsigned short *from, float *to, long count);

#endif
