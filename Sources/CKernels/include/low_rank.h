// Products of a matrix [rows, columns], row-major, with the two thin factors of a matrix of low rank.
//
// Factors are stored vector by vector: `left` as [rank, rows], `right` as [rank, columns].
#ifndef CK_LOW_RANK_H
#define CK_LOW_RANK_H

/// left[r][i] = Σ over j of matrix[i][j] · right[r][j], in sixteen lanes that are then added in index order.
void ck_multiply_right(
    const float *matrix, long rows, long columns, const float *right, long rank, float *left);

/// right[r][j] = Σ over i of left[r][i] · matrix[i][j], from the first row on.
void ck_multiply_left(
    const float *matrix, long rows, long columns, const float *left, long rank, float *right);

/// matrix[i][j] = Σ over r of left[r][i] · right[r][j].
void ck_multiply_factors(
    float *matrix, long rows, long columns, const float *left, const float *right, long rank);

/// matrix[i][j] −= the same sum.
void ck_subtract_factors(
    float *matrix, long rows, long columns, const float *left, const float *right, long rank);

#endif
