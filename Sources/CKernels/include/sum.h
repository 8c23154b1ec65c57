// Sums of several vectors with given parentheses.
#ifndef CK_SUM_H
#define CK_SUM_H

/// Terms of a sum in postfix order: n ≥ 0 is vector n, CK_PLUS adds the two sums before it, and CK_PLUS_VECTOR(n) adds vector
/// n to the sum before it.
#define CK_PLUS (-1)
#define CK_PLUS_VECTOR(n) (-2 - (n))

/// Sums that may wait at a time for CK_PLUS.
#define CK_WAITING_SUMS 24

/// result[i] = the sum of vectors[…][i] for i in first ..< first + count, each element with the parentheses of the terms. The sum
/// grows in registers; every vector is read once. The result may be one of the vectors, and overlaps no other.
void ck_sum(float *result, const float *const *vectors, long first, long count, const int *terms, int term_count);

#endif
