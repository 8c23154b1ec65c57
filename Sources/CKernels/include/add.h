// Sums of vectors, for collectives and for gradient accumulation.
#ifndef CK_ADD_H
#define CK_ADD_H

/// sum[i] += addend[i].
void ck_accumulate(float *sum, const float *addend, long count);

/// sum[i] = a[i] + b[i]; `sum` overlaps neither.
void ck_add(float *sum, const float *a, const float *b, long count);

#endif
