#include "include/low_rank.h"

#include "lanes.h"

/// Products of one row with `vectors` vectors of the factor at once, which stay in registers.
static CK_INLINE void multiply_row(
    const float *row, long columns, const float *right, float *left, long rows, const int vectors) {
  ck_floats sums[4];
  for (int v = 0; v < vectors; ++v) sums[v] = (ck_floats){0};
  long j = 0;
  for (; j + CK_LANES <= columns; j += CK_LANES) {
    const ck_floats x = ck_lanes_at(row + j);
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) sums[v] += x * ck_lanes_at(right + v * columns + j);
  }
  for (int v = 0; v < vectors; ++v) {
    float lanes[CK_LANES];
    memcpy(lanes, &sums[v], sizeof lanes);
    for (long k = j; k < columns; ++k) lanes[k - j] += row[k] * right[v * columns + k];
    float sum = 0;
    for (int lane = 0; lane < CK_LANES; ++lane) sum += lanes[lane];
    left[v * rows] = sum;
  }
}

static CK_INLINE void multiply_right_body(
    const float *matrix, long rows, long columns, const float *right, long rank, float *left, int fused) {
  (void)fused;
  for (long i = 0; i < rows; ++i) {
    const float *const row = matrix + i * columns;
    long r = 0;
    for (; r + 4 <= rank; r += 4) multiply_row(row, columns, right + r * columns, left + r * rows + i, rows, 4);
    if (r + 2 <= rank) {
      multiply_row(row, columns, right + r * columns, left + r * rows + i, rows, 2);
      r += 2;
    }
    if (r < rank) multiply_row(row, columns, right + r * columns, left + r * rows + i, rows, 1);
  }
}
CK_VARIANTS(ck_multiply_right, multiply_right_body,
            (const float *matrix, long rows, long columns, const float *right, long rank, float *left),
            (matrix, rows, columns, right, rank, left))

static CK_INLINE void multiply_left_body(
    const float *matrix, long rows, long columns, const float *left, long rank, float *right, int fused) {
  (void)fused;
  memset(right, 0, (unsigned long)(rank * columns) * sizeof *right);
  // Four rows at a time, so that a factor's vector is read and written a quarter as often; each sum still grows row by row.
  long i = 0;
  for (; i + 4 <= rows; i += 4) {
    const float *const a = matrix + i * columns, *const b = a + columns, *const c = b + columns, *const d = c + columns;
    for (long r = 0; r < rank; ++r) {
      const float *const weight = left + r * rows + i;
      const float wa = weight[0], wb = weight[1], wc = weight[2], wd = weight[3];
      float *const sum = right + r * columns;
#pragma clang loop vectorize(assume_safety)
      for (long j = 0; j < columns; ++j) sum[j] = sum[j] + wa * a[j] + wb * b[j] + wc * c[j] + wd * d[j];
    }
  }
  for (; i < rows; ++i) {
    const float *const a = matrix + i * columns;
    for (long r = 0; r < rank; ++r) {
      const float weight = left[r * rows + i];
      float *const sum = right + r * columns;
#pragma clang loop vectorize(assume_safety)
      for (long j = 0; j < columns; ++j) sum[j] = sum[j] + weight * a[j];
    }
  }
}
CK_VARIANTS(ck_multiply_left, multiply_left_body,
            (const float *matrix, long rows, long columns, const float *left, long rank, float *right),
            (matrix, rows, columns, left, rank, right))

/// A run of a row, summed over the factors in registers.
static CK_INLINE void factors_loop(
    float *matrix, long rows, long columns, const float *left, const float *right, long rank, const int subtracts) {
  for (long i = 0; i < rows; ++i) {
    float *const row = matrix + i * columns;
    long j = 0;
    for (; j + CK_LANES <= columns; j += CK_LANES) {
      ck_floats sum = {0};
      for (long r = 0; r < rank; ++r)
        sum += ck_all_lanes(left[r * rows + i]) * ck_lanes_at(right + r * columns + j);
      ck_lanes_to(row + j, subtracts ? ck_lanes_at(row + j) - sum : sum);
    }
    for (; j < columns; ++j) {
      float sum = 0;
      for (long r = 0; r < rank; ++r) sum += left[r * rows + i] * right[r * columns + j];
      row[j] = subtracts ? row[j] - sum : sum;
    }
  }
}

static CK_INLINE void multiply_factors_body(
    float *matrix, long rows, long columns, const float *left, const float *right, long rank, int fused) {
  (void)fused;
  factors_loop(matrix, rows, columns, left, right, rank, 0);
}
CK_VARIANTS(ck_multiply_factors, multiply_factors_body,
            (float *matrix, long rows, long columns, const float *left, const float *right, long rank),
            (matrix, rows, columns, left, right, rank))

static CK_INLINE void subtract_factors_body(
    float *matrix, long rows, long columns, const float *left, const float *right, long rank, int fused) {
  (void)fused;
  factors_loop(matrix, rows, columns, left, right, rank, 1);
}
CK_VARIANTS(ck_subtract_factors, subtract_factors_body,
            (float *matrix, long rows, long columns, const float *left, const float *right, long rank),
            (matrix, rows, columns, left, right, rank))
