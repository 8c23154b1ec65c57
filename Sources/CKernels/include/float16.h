// Between floats and float16 (IEEE 754 binary16): five bits of exponent, eleven of precision, magnitudes up to 65,504.
#ifndef CK_FLOAT16_H
#define CK_FLOAT16_H

/// To the nearest, ties to even; denormals of float16 are kept, what is too large becomes infinite, and what is not a number
/// stays so.
void ck_round_to_float16(const float *from, unsigned short *to, long count);

/// Exact.
void ck_widen_float16(const unsigned short *from, float *to, long count);

/// to[i] += from[i].
void ck_add_float16(const unsigned short *from, float *to, long count);

#endif
