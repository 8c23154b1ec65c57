#include "include/winograd.h"

#include <string.h>

#include "element.h"
#include "parts.h"

// Interpolation points 0, ±5/8, ±3/2, ∞: exact in binary, products too, and with less than half of the rounding error of the
// usual 0, ±1, ±2, ∞ (docs/numerics.md). A and B are the two magnitudes, N what the polynomials are divided by.
#define A1 0.625f
#define B1 1.5f
#define A2 (A1 * A1)
#define B2 (B1 * B1)
#define N0 (1.0f / (A2 * B2))
#define NA (1.0f / (2.0f * A2 * (A2 - B2)))
#define NB (1.0f / (2.0f * B2 * (B2 - A2)))

/// A pass as its loops see it: a source that is cut into overlapping tiles, and a result cut into tiles side by side.
typedef struct {
  long batch, height, width, out_height, out_width, padding_top, padding_left;
  /// Blocks of channels.
  long source_blocks, result_blocks;
  long tile_rows, tile_columns, tiles;
  int kernel, tile;
  /// Whether the filter is turned and its axes are exchanged: the gradient of the source.
  int turned;
} ck_geometry;

typedef struct {
  long image, row, column;
} ck_tile;

static CK_INLINE ck_tile ck_tile_at(const ck_geometry *g, long t) {
  const long per_image = g->tile_rows * g->tile_columns, rest = t % per_image;
  return (ck_tile){t / per_image, rest / g->tile_columns, rest % g->tile_columns};
}

/// A pass with its memory laid out. Strides count words (winograd-body.h), which are as long as floats.
typedef struct {
  ck_geometry g;
  const ck_element *source, *diff_result;
  const float *weights, *bias;
  /// Of the passes that make images, and of the weights' gradient.
  ck_element *output;
  float *gradient, *diff_bias;
  long result_channels;
  int relu, parts;
  /// Panels of two blocks of the result's channels; tiles and blocks of the source's channels that are worked on together.
  long panels, tile_block, block_chunk;
  /// Forward: whether tiles are the outer loop, over weights that were transformed before; else panels are, over tiles
  /// that were transformed before. What is smaller is kept.
  int tiles_outside;
  /// Transformed source: [e][tile][c]. The other operand of the weights' gradient: [e][tile][k]. What is summed over, channels or
  /// tiles, counts in words.
  long place_stride, tile_stride, lane_place_stride;
  /// Transformed weights: a panel is [e][c][k].
  long panel_place_stride, panel_floats;
  /// Memory for all parts, then for each.
  float *shared, *own;
  long shared_floats, own_floats;
} ck_work;

/// Transformed tiles of a block should leave room for weights and products in a second-level cache of 1 MiB.
enum { CK_TILE_WORDS = 96 * 1024, CK_FEW_TILES = 128 };

static long rounded_up(long value, long unit) { return (value + unit - 1) / unit * unit; }

/// Lays out a pass for vectors of `width` floats and register tiles of `rows` rows.
static ck_work lay_out(const ck_winograd *shape, ck_pass pass, int parts, long width, long rows) {
  ck_work w = {0};
  ck_geometry *g = &w.g;
  const int backward = pass == CK_BACKWARD_DATA;
  g->batch = shape->batch;
  g->height = backward ? shape->out_height : shape->height;
  g->width = backward ? shape->out_width : shape->width;
  g->out_height = backward ? shape->height : shape->out_height;
  g->out_width = backward ? shape->width : shape->out_width;
  g->padding_top = backward ? shape->kernel - 1 - shape->padding_top : shape->padding_top;
  g->padding_left = backward ? shape->kernel - 1 - shape->padding_left : shape->padding_left;
  const long source_channels = backward ? shape->filters : shape->channels;
  w.result_channels = backward ? shape->channels : shape->filters;
  g->source_blocks = (source_channels + width - 1) / width;
  g->result_blocks = (w.result_channels + width - 1) / width;
  g->kernel = shape->kernel;
  g->tile = 7 - shape->kernel;
  g->tile_rows = (g->out_height + g->tile - 1) / g->tile;
  g->tile_columns = (g->out_width + g->tile - 1) / g->tile;
  g->tiles = g->batch * g->tile_rows * g->tile_columns;
  g->turned = backward;
  w.parts = parts;
  w.panels = (g->result_blocks + 1) / 2;

  const long channels = g->source_blocks * width;
  w.tile_stride = channels / CK_PER_WORD + 16;
  long block = CK_TILE_WORDS / (36 * w.tile_stride) / rows * rows;
  if (block < 2 * rows) block = 2 * rows;
  if (pass == CK_BACKWARD_WEIGHTS) {
    // A sum over fewer tiles than this spends its time on loading and storing sums.
    if (block < 64) block = 64;
    if (g->tiles <= 4 * block) block = g->tiles;
    w.tile_block = block;
    const long most_channels = rounded_up(g->source_blocks, parts) / parts * width;
    w.tile_stride = most_channels + 16;
    const long words = (block + CK_PER_WORD - 1) / CK_PER_WORD;
    w.place_stride = words * w.tile_stride + 16;
    w.lane_place_stride = words * 2 * width + 16;
    const long sums = (block < g->tiles ? w.panels : 1) * most_channels * 72 * width;
    w.own_floats = 36 * (w.place_stride + w.lane_place_stride) + sums;
  } else {
    w.tiles_outside = g->tiles > g->result_blocks * width;
    w.block_chunk = g->source_blocks;
    if (!w.tiles_outside && g->tiles <= CK_FEW_TILES) {
      // Then all tiles' products fit into the second-level cache, and so do weights that are transformed bit by bit.
      block = g->tiles;
      w.block_chunk = 64 / width;
    }
    if (block > g->tiles) block = g->tiles;
    w.tile_block = block;
    const long chunk = w.block_chunk < g->source_blocks ? w.block_chunk * width : channels;
    w.panel_place_stride = chunk / CK_PER_WORD * 2 * width + 16;
    w.panel_floats = 36 * w.panel_place_stride;
    const long products = block * 72 * width;
    w.place_stride = (w.tiles_outside ? block : g->tiles) * w.tile_stride + 16;
    w.shared_floats = w.tiles_outside ? w.panels * w.panel_floats : 36 * w.place_stride;
    w.own_floats = (w.tiles_outside ? 36 * w.place_stride : w.panel_floats) + products;
  }
  // Parts start on cache lines of their own.
  w.own_floats = rounded_up(w.own_floats, 16);
  w.shared_floats = rounded_up(w.shared_floats, 16);
  return w;
}

#define CK_BODY "winograd-body.h"
#include "instruction-sets.h"

/// Rows of a register tile (instruction-sets.h).
static long register_rows(void) { return ck_effective_instruction_set() == CK_AVX512 ? 12 : 6; }

long CK_FOR_ELEMENT(ck_winograd_scratch)(const ck_winograd *shape, ck_pass pass, int parts) {
  const ck_work w = lay_out(shape, pass, parts, ck_block(), register_rows());
  return w.shared_floats + parts * w.own_floats;
}

void CK_FOR_ELEMENT(ck_winograd_run)(const ck_winograd_job *job, ck_pass pass, ck_team team, int parts) {
  ck_work w = lay_out(&job->shape, pass, parts, ck_block(), register_rows());
  w.source = pass == CK_BACKWARD_DATA ? job->diff_result : job->source;
  w.weights = job->weights;
  w.bias = pass == CK_FORWARD ? job->bias : 0;
  w.relu = pass == CK_FORWARD && job->relu;
  w.diff_result = job->diff_result;
  w.output = job->output;
  w.gradient = job->output;
  w.diff_bias = job->diff_bias;
  w.shared = job->scratch;
  w.own = job->scratch + w.shared_floats;
  if (pass == CK_BACKWARD_WEIGHTS) {
    ck_run_parts(CK_EFFECTIVE(weight_gradient), &w, team, parts);
    if (w.diff_bias) CK_EFFECTIVE(bias_gradient)(&w);
  } else {
    ck_run_parts(CK_EFFECTIVE(prepare), &w, team, parts);
    ck_run_parts(CK_EFFECTIVE(finish), &w, team, parts);
  }
}

#if !CK_BFLOAT16
long ck_winograd_scratch_bfloat16(const ck_winograd *shape, ck_pass pass, int parts);
void ck_winograd_run_bfloat16(const ck_winograd_job *job, ck_pass pass, ck_team team, int parts);

long ck_winograd_scratch(const ck_winograd *shape, ck_pass pass, int parts) {
  return (shape->storage == CK_IN_BFLOAT16 ? ck_winograd_scratch_bfloat16 : ck_winograd_scratch_float32)(
      shape, pass, parts);
}

void ck_winograd_run(const ck_winograd_job *job, ck_pass pass, ck_team team, int parts) {
  (job->shape.storage == CK_IN_BFLOAT16 ? ck_winograd_run_bfloat16 : ck_winograd_run_float32)(job, pass, team, parts);
}
#endif
