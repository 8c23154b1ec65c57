// The arguments of a product in registers (vectors-body.h). Strides and steps count floats.
#ifndef CK_REGISTER_TILE_H
#define CK_REGISTER_TILE_H

typedef struct {
  /// Vectors: the next one of the sum lies `lane_step` on, the second of a pair `lane_vector_stride`.
  const float *lanes;
  long lane_step, lane_vector_stride;
  /// Scalars: the next row lies `row_stride` on, the next one of the sum `step`. The sum has `blocks` blocks of `count`; after
  /// each block the scalars jump by `block_jump` more.
  const float *scalars;
  long row_stride, step, count, blocks, block_jump;
  long out_row_stride, out_vector_stride;
  /// Whether the sums start with what is in the result.
  int adds;
} ck_register_tile;

#endif
