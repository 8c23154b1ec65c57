// One bit an element: its sign, and a value that stands for all of either sign.
#ifndef CK_SIGNS_H
#define CK_SIGNS_H

/// Of the elements ≥ 0 and of the others, in float64: lane j of sixteen adds elements j, j+16, …; then the lanes in index order.
typedef struct {
  double positive, negative;
  long positives;
} ck_sign_sums;

/// residual[i] = factor·gradient[i] + residual[i], and the sums of that.
void ck_feed_back_signs(float *residual, const float *gradient, float factor, long count, ck_sign_sums *sums);

/// Bit i mod 8 of byte i/8 says whether residual[i] ≥ 0; then the value that stands for it is subtracted. Unused bits are 0.
void ck_encode_signs(float *residual, float positive, float negative, unsigned char *bits, long count);

/// values[i] = positive where bit i is set, else negative.
void ck_decode_signs(const unsigned char *bits, float positive, float negative, float *values, long count);

/// values[i] += the same.
void ck_add_signs(const unsigned char *bits, float positive, float negative, float *values, long count);

#endif
