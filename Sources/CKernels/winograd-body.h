// The loops of winograd.c, included once for each instruction set by instruction-sets.h.
//
// Names of extents: e counts the 36 places of a transformed tile, c the channels that are summed over, k those of the
// result, which lie side by side in vectors; t counts tiles. A panel is what one register tile is wide: two vectors of k.
// Strides are padded by a vector so that the 36 places do not fall into the same cache set.
//
// Transformed tiles and weights are kept in words of 32 bits, which hold a float, or the bfloat16 of two numbers that
// follow each other in the sum: two channels forward and for the gradient of the source, two tiles for that of the weights.

#include "winograd-transforms-body.h"

// MARK: products

/// All 36 places of `rows` rows with one panel. A row's vectors lie 36 vectors apart.
static void CK_NAME(multiply_places)(
    const float *lanes, long place_stride_lanes, const float *scalars, long place_stride_scalars, long row_stride,
    long step, long count, float *out, int adds, long rows, int vectors) {
  ck_register_tile t = {
      .lane_step = vectors * CK_WIDTH, .lane_vector_stride = CK_WIDTH, .row_stride = row_stride, .step = step,
      .count = count, .blocks = 1, .out_row_stride = 72 * CK_WIDTH, .out_vector_stride = 36 * CK_WIDTH, .adds = adds};
  for (int e = 0; e < 36; ++e) {
    t.lanes = lanes + e * place_stride_lanes;
    t.scalars = scalars + e * place_stride_scalars;
    CK_NAME(multiply_rows)(&t, out + e * CK_WIDTH, rows, vectors);
  }
}

// MARK: passes

/// Vectors of panel p.
static CK_INLINE int CK_NAME(panel_vectors)(const ck_geometry *g, long panel) {
  return 2 * panel + 2 <= g->result_blocks ? 2 : 1;
}

/// Transformed weights of one panel and the blocks [first, last) of c: [e][c][vector].
static void CK_NAME(make_panel)(const ck_work *w, long panel, long first, long last, float *out) {
  const int vectors = CK_NAME(panel_vectors)(&w->g, panel);
  for (int v = 0; v < vectors; ++v)
    CK_NAME(transform_weights)(
        &w->g, w->weights, 2 * panel + v, first, last, out + v * CK_WIDTH, w->panel_place_stride, vectors * CK_WIDTH);
}

/// Products of one panel with the transforms of `tiles` tiles, summed over the blocks [first, last) of c.
static void CK_NAME(multiply_panel)(
    const ck_work *w, long panel, long first, long last, const float *weights, const float *transforms, long tiles,
    float *products) {
  CK_NAME(multiply_places)(
      weights, w->panel_place_stride, transforms + first * CK_WIDTH / CK_PER_WORD, w->place_stride, w->tile_stride, 1,
      (last - first) * CK_WIDTH / CK_PER_WORD, products, first > 0, tiles, CK_NAME(panel_vectors)(&w->g, panel));
}

/// Results of one panel for tiles [first, last).
static void CK_NAME(finish_panel)(const ck_work *w, long panel, long first, long last, const float *products) {
  const ck_geometry *g = &w->g;
  for (int v = 0; v < CK_NAME(panel_vectors)(g, panel); ++v) {
    const long block = 2 * panel + v;
    float bias[CK_WIDTH];
    for (int i = 0; i < CK_WIDTH; ++i)
      bias[i] = w->bias && block * CK_WIDTH + i < w->result_channels ? w->bias[block * CK_WIDTH + i] : 0;
    CK_NAME(transform_result)(
        g, products + v * 36 * CK_WIDTH, block, first, last, 72 * CK_WIDTH, w->bias ? bias : 0, w->relu, w->output);
  }
}

/// First phase of a forward pass: what is used by all others, weights or tiles.
static void CK_NAME(prepare)(void *context, int part) {
  const ck_work *w = context;
  const ck_geometry *g = &w->g;
  if (w->tiles_outside) {
    for (long panel = part; panel < w->panels; panel += w->parts)
      CK_NAME(make_panel)(w, panel, 0, g->source_blocks, w->shared + panel * w->panel_floats);
  } else {
    for (long block = part; block < g->source_blocks; block += w->parts)
      CK_NAME(transform_source)(
          g, w->source, block, 0, g->tiles, w->shared + block * CK_WIDTH / CK_PER_WORD, w->place_stride,
          w->tile_stride);
  }
}

/// Second phase of a forward pass.
static void CK_NAME(finish)(void *context, int part) {
  const ck_work *w = context;
  const ck_geometry *g = &w->g;
  float *own = w->own + part * w->own_floats;
  if (w->tiles_outside) {
    float *products = own + 36 * w->place_stride;
    for (long first = part * w->tile_block; first < g->tiles; first += w->parts * w->tile_block) {
      const long last = first + w->tile_block < g->tiles ? first + w->tile_block : g->tiles;
      for (long block = 0; block < g->source_blocks; ++block)
        CK_NAME(transform_source)(
            g, w->source, block, first, last, own + block * CK_WIDTH / CK_PER_WORD, w->place_stride, w->tile_stride);
      for (long panel = 0; panel < w->panels; ++panel) {
        CK_NAME(multiply_panel)
        (w, panel, 0, g->source_blocks, w->shared + panel * w->panel_floats, own, last - first, products);
        CK_NAME(finish_panel)(w, panel, first, last, products);
      }
    }
    return;
  }
  float *products = own + w->panel_floats;
  for (long panel = part; panel < w->panels; panel += w->parts)
    for (long first = 0; first < g->tiles; first += w->tile_block) {
      const long last = first + w->tile_block < g->tiles ? first + w->tile_block : g->tiles;
      for (long block = 0; block < g->source_blocks; block += w->block_chunk) {
        const long end = block + w->block_chunk < g->source_blocks ? block + w->block_chunk : g->source_blocks;
        // A panel that is whole serves all tiles.
        if (first == 0 || w->block_chunk < g->source_blocks) CK_NAME(make_panel)(w, panel, block, end, own);
        CK_NAME(multiply_panel)
        (w, panel, block, end, own, w->shared + first * w->tile_stride, last - first, products);
      }
      CK_NAME(finish_panel)(w, panel, first, last, products);
    }
}

/// The gradient of the weights of some blocks of channels: the parts share the channels, so that no sum crosses them.
static void CK_NAME(weight_gradient)(void *context, int part) {
  const ck_work *w = context;
  const ck_geometry *g = &w->g;
  const long first_block = part * g->source_blocks / w->parts, last_block = (part + 1) * g->source_blocks / w->parts;
  const long channels = (last_block - first_block) * CK_WIDTH;
  if (channels == 0) return;
  float *tiles = w->own + part * w->own_floats;
  float *lanes = tiles + 36 * w->place_stride;
  float *products = lanes + 36 * w->lane_place_stride;
  for (long first = 0; first < g->tiles; first += w->tile_block) {
    const long last = first + w->tile_block < g->tiles ? first + w->tile_block : g->tiles;
    for (long block = first_block; block < last_block; ++block)
      CK_NAME(transform_source_to_sum)(
          g, w->source, block, first, last, tiles + (block - first_block) * CK_WIDTH, w->place_stride, w->tile_stride);
    for (long panel = 0; panel < w->panels; ++panel) {
      const int vectors = CK_NAME(panel_vectors)(g, panel);
      for (int v = 0; v < vectors; ++v)
        CK_NAME(transform_gradient)(
            g, w->diff_result, 2 * panel + v, first, last, lanes + v * CK_WIDTH, w->lane_place_stride,
            vectors * CK_WIDTH);
      // Where all tiles are one block a panel's sums are done with before the next panel's begin.
      float *sums = products + (w->tile_block < g->tiles ? panel * channels * 72 * CK_WIDTH : 0);
      CK_NAME(multiply_places)(
          lanes, w->lane_place_stride, tiles, w->place_stride, 1, w->tile_stride,
          (last - first + CK_PER_WORD - 1) / CK_PER_WORD, sums, first > 0, channels, vectors);
      if (last < g->tiles) continue;
      for (int v = 0; v < vectors; ++v)
        CK_NAME(transform_weight_gradient)(
            g, sums + v * 36 * CK_WIDTH, 2 * panel + v, first_block, last_block, 72 * CK_WIDTH, w->gradient);
    }
  }
}

/// The gradient of the bias: sums over images and places, in their order.
static void CK_NAME(bias_gradient)(const ck_work *w) {
  const ck_geometry *g = &w->g;
  const long area = g->out_height * g->out_width;
  for (long block = 0; block < g->result_blocks; ++block) {
    // Eight sums side by side, because one would wait for itself.
    vector sum[8] = {};
    for (long image = 0; image < g->batch; ++image) {
      const ck_element *from = w->diff_result + (image * g->result_blocks + block) * area * CK_WIDTH;
      long i = 0;
      for (; i + 8 <= area; i += 8)
        for (int k = 0; k < 8; ++k) sum[k] += load_element(from + (i + k) * CK_WIDTH);
      for (; i < area; ++i) sum[0] += load_element(from + i * CK_WIDTH);
    }
    const vector total = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    for (int i = 0; i < CK_WIDTH && block * CK_WIDTH + i < w->result_channels; ++i)
      w->diff_bias[block * CK_WIDTH + i] = total[i];
  }
}

#undef CK_BOTH_AXES
#undef CK_LOCAL
#undef CK_AT_ROW
#undef CK_AT_PLACE
#undef CK_PUT_PLACE
#undef CK_KEEP_PLACE
#undef CK_PUT_HALF_PLACE
#undef CK_PUT_PAIR
#undef CK_TILES_BY_WORD
#undef CK_SOURCE_LINE
#undef CK_WEIGHT_LINE
#undef CK_WEIGHT_LINE_T
#undef CK_RESULT_LINE
#undef CK_RESULT_LINE_T
