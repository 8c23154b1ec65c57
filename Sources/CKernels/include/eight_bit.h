// Eight bits an element: a block is stored as its largest magnitude, a float, and multiples of 1/127 of it.
#ifndef CK_EIGHT_BIT_H
#define CK_EIGHT_BIT_H

/// Writes the block residual + gradient as a float and `count` signed bytes, and leaves in the residual what they lack of it:
/// to the nearest multiple, ties to even.
///
/// A block whose magnitudes are all below 2⁻¹⁰⁰ is written as zeros. One that has an infinity or what is not a number is
/// read as what is not a number throughout.
void ck_encode_eight_bit(float *residual, const float *gradient, unsigned char *bytes, long count);

/// values[i] = the block's element i.
void ck_decode_eight_bit(const unsigned char *bytes, float *values, long count);

/// values[i] += the block's element i.
void ck_add_eight_bit(const unsigned char *bytes, float *values, long count);

#endif
