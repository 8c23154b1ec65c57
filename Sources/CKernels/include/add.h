// Sums of vectors, for the accumulation of gradients.
#ifndef CK_ADD_H
#define CK_ADD_H

/// sum[i] += addend[i].
void ck_accumulate(float *sum, const float *addend, long count);

#endif
