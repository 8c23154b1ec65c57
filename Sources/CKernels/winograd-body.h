// The loops of winograd.c, included once for each instruction set behind vectors-body.h.
//
// Names of extents: e counts the 36 places of a transformed tile, c the channels that are summed over, k those of the
// result, which lie side by side in vectors; t counts tiles. A panel is what one register tile is wide: two vectors of k.
// Strides are padded by a vector so that the 36 places do not fall into the same cache set.

// MARK: transforms of one line

/// Bᵀd: six elements of an image.
static CK_INLINE void CK_NAME(source_line)(const vector d[6], vector t[6]) {
  const vector ea = fmas(-B2, d[2], d[4]), oa = fmas(-B2, d[1], d[3]);
  const vector eb = fmas(-A2, d[2], d[4]), ob = fmas(-A2, d[1], d[3]);
  t[0] = fmas(A2 * B2, d[0], fmas(-(A2 + B2), d[2], d[4]));
  t[1] = fmas(A1, oa, ea);
  t[2] = fmas(-A1, oa, ea);
  t[3] = fmas(B1, ob, eb);
  t[4] = fmas(-B1, ob, eb);
  t[5] = fmas(A2 * B2, d[1], fmas(-(A2 + B2), d[3], d[5]));
}

/// Gg: `kernel` elements of a filter.
static CK_INLINE void CK_NAME(weight_line)(const vector *g, vector t[6], int kernel) {
  vector even_a = fmas(A2, g[2], g[0]), odd_a = g[1];
  vector even_b = fmas(B2, g[2], g[0]), odd_b = g[1];
  if (kernel == 5) {
    even_a = fmas(A2 * A2, g[4], even_a);
    even_b = fmas(B2 * B2, g[4], even_b);
    odd_a = fmas(A2, g[3], odd_a);
    odd_b = fmas(B2, g[3], odd_b);
  }
  t[0] = splat(N0) * g[0];
  t[1] = splat(NA) * fmas(A1, odd_a, even_a);
  t[2] = splat(NA) * fmas(-A1, odd_a, even_a);
  t[3] = splat(NB) * fmas(B1, odd_b, even_b);
  t[4] = splat(NB) * fmas(-B1, odd_b, even_b);
  t[5] = g[kernel - 1];
}

/// Gᵀt: the gradient of a filter's line.
static CK_INLINE void CK_NAME(weight_line_transposed)(const vector t[6], vector *g, int kernel) {
  const vector even_a = splat(NA) * (t[1] + t[2]), odd_a = splat(NA * A1) * (t[1] - t[2]);
  const vector even_b = splat(NB) * (t[3] + t[4]), odd_b = splat(NB * B1) * (t[3] - t[4]);
  g[0] = fmas(N0, t[0], even_a + even_b);
  g[1] = odd_a + odd_b;
  g[2] = fmas(A2, even_a, splat(B2) * even_b);
  if (kernel == 5) {
    g[3] = fmas(A2, odd_a, splat(B2) * odd_b);
    g[4] = fmas(A2 * A2, even_a, fmas(B2 * B2, even_b, t[5]));
  } else {
    g[2] += t[5];
  }
}

/// Aᵀt: `tile` elements of a result.
static CK_INLINE void CK_NAME(result_line)(const vector t[6], vector *y, int tile) {
  const vector sa = t[1] + t[2], da = t[1] - t[2], sb = t[3] + t[4], db = t[3] - t[4];
  y[0] = t[0] + (sa + sb);
  y[1] = fmas(A1, da, splat(B1) * db);
  if (tile == 4) {
    y[2] = fmas(A2, sa, splat(B2) * sb);
    y[3] = fmas(A1 * A2, da, fmas(B1 * B2, db, t[5]));
  } else {
    y[1] += t[5];
  }
}

/// Ay: the gradient of a result's line.
static CK_INLINE void CK_NAME(result_line_transposed)(const vector *y, vector t[6], int tile) {
  vector even_a = y[0], odd_a = y[1], even_b = y[0], odd_b = y[1];
  if (tile == 4) {
    even_a = fmas(A2, y[2], even_a);
    even_b = fmas(B2, y[2], even_b);
    odd_a = fmas(A2, y[3], odd_a);
    odd_b = fmas(B2, y[3], odd_b);
  }
  t[0] = y[0];
  t[1] = fmas(A1, odd_a, even_a);
  t[2] = fmas(-A1, odd_a, even_a);
  t[3] = fmas(B1, odd_b, even_b);
  t[4] = fmas(-B1, odd_b, even_b);
  t[5] = y[tile - 1];
}

// MARK: transforms of whole tiles

/// Rows and columns of `extent` elements from (top, left) of an image of height × width vectors; zeros outside.
static CK_INLINE void CK_NAME(fetch)(
    const float *image, long height, long width, long top, long left, int extent, vector *d) {
  const int inside = top >= 0 && left >= 0 && top + extent <= height && left + extent <= width;
  const vector zero = {};
  for (int i = 0; i < extent; ++i)
    for (int j = 0; j < extent; ++j) {
      const long y = top + i, x = left + j;
      d[i * extent + j] = inside || (y >= 0 && y < height && x >= 0 && x < width)
                              ? load(image + (y * width + x) * CK_WIDTH)
                              : zero;
    }
}

/// Transforms the columns, then the rows, of `from`×`from` vectors to `to`×`to` with a line's transform.
#define CK_BOTH_AXES(from, to, line, in, out)                       \
  do {                                                              \
    vector half[6 * 6];                                             \
    for (int j = 0; j < (from); ++j) {                              \
      vector a[6], b[6];                                            \
      for (int i = 0; i < (from); ++i) a[i] = (in)[i * (from) + j]; \
      line(a, b);                                                   \
      for (int i = 0; i < (to); ++i) half[i * (from) + j] = b[i];   \
    }                                                               \
    for (int i = 0; i < (to); ++i) {                                \
      vector b[6];                                                  \
      line(half + i * (from), b);                                   \
      for (int j = 0; j < (to); ++j) (out)[i * (to) + j] = b[j];    \
    }                                                               \
  } while (0)

#define CK_SOURCE_LINE(in, out) CK_NAME(source_line)(in, out)
#define CK_WEIGHT_LINE(in, out) CK_NAME(weight_line)(in, out, kernel)
#define CK_WEIGHT_LINE_T(in, out) CK_NAME(weight_line_transposed)(in, out, kernel)
#define CK_RESULT_LINE(in, out) CK_NAME(result_line)(in, out, tile)
#define CK_RESULT_LINE_T(in, out) CK_NAME(result_line_transposed)(in, out, tile)

/// One block of channels of tiles [first, last): writes place e of tile t at out + e·place_stride + t·tile_stride.
static void CK_NAME(transform_source)(
    const ck_geometry *g, const float *source, long block, long first, long last, float *out, long place_stride,
    long tile_stride) {
  for (long t = first; t < last; ++t) {
    const ck_tile at = ck_tile_at(g, t);
    const float *image = source + (at.image * g->source_blocks + block) * g->height * g->width * CK_WIDTH;
    vector d[36], v[36];
    CK_NAME(fetch)
    (image, g->height, g->width, at.row * g->tile - g->padding_top, at.column * g->tile - g->padding_left, 6, d);
    CK_BOTH_AXES(6, 6, CK_SOURCE_LINE, d, v);
    float *to = out + (t - first) * tile_stride;
    for (int e = 0; e < 36; ++e) store(to + e * place_stride, v[e]);
  }
}

static CK_INLINE void CK_NAME(transform_gradient_body)(
    const ck_geometry *g, const float *gradient, long block, long first, long last, float *out, long place_stride,
    long tile_stride, const int tile) {
  for (long t = first; t < last; ++t) {
    const ck_tile at = ck_tile_at(g, t);
    const float *image = gradient + (at.image * g->result_blocks + block) * g->out_height * g->out_width * CK_WIDTH;
    vector d[16], v[36];
    CK_NAME(fetch)(image, g->out_height, g->out_width, at.row * tile, at.column * tile, tile, d);
    CK_BOTH_AXES(tile, 6, CK_RESULT_LINE_T, d, v);
    float *to = out + (t - first) * tile_stride;
    for (int e = 0; e < 36; ++e) store(to + e * place_stride, v[e]);
  }
}

/// As `transform_source` for one block of a result's gradient, whose tiles do not overlap.
static void CK_NAME(transform_gradient)(
    const ck_geometry *g, const float *gradient, long block, long first, long last, float *out, long place_stride,
    long tile_stride) {
  if (g->tile == 4)
    CK_NAME(transform_gradient_body)(g, gradient, block, first, last, out, place_stride, tile_stride, 4);
  else
    CK_NAME(transform_gradient_body)(g, gradient, block, first, last, out, place_stride, tile_stride, 2);
}

static CK_INLINE void CK_NAME(transform_result_body)(
    const ck_geometry *g, const float *products, long block, long first, long last, long tile_stride,
    const float *bias, int relu, float *result, const int tile) {
  const vector added = bias ? load(bias) : splat(0);
  for (long t = first; t < last; ++t) {
    const ck_tile at = ck_tile_at(g, t);
    const float *m = products + (t - first) * tile_stride;
    vector in[36], out[16];
    for (int e = 0; e < 36; ++e) in[e] = load(m + e * CK_WIDTH);
    CK_BOTH_AXES(6, tile, CK_RESULT_LINE, in, out);
    float *image = result + (at.image * g->result_blocks + block) * g->out_height * g->out_width * CK_WIDTH;
    const long top = at.row * tile, left = at.column * tile;
    for (int i = 0; i < tile; ++i)
      for (int j = 0; j < tile; ++j) {
        if (top + i >= g->out_height || left + j >= g->out_width) continue;
        vector y = out[i * tile + j] + added;
        if (relu) y = positive(y);
        store(image + ((top + i) * g->out_width + left + j) * CK_WIDTH, y);
      }
  }
}

/// One block of the result from products that lie [tile][e][lane] with `tile_stride` between tiles.
static void CK_NAME(transform_result)(
    const ck_geometry *g, const float *products, long block, long first, long last, long tile_stride,
    const float *bias, int relu, float *result) {
  if (g->tile == 4)
    CK_NAME(transform_result_body)(g, products, block, first, last, tile_stride, bias, relu, result, 4);
  else
    CK_NAME(transform_result_body)(g, products, block, first, last, tile_stride, bias, relu, result, 2);
}

/// The 36 places of one vector of k and one c, transformed from the filter's elements g.
static CK_INLINE void CK_NAME(put_weights)(const vector *g, float *out, long place_stride, const int kernel) {
  vector u[36];
  CK_BOTH_AXES(kernel, 6, CK_WEIGHT_LINE, g, u);
  for (int e = 0; e < 36; ++e) store(out + e * place_stride, u[e]);
}

/// Forward: one block of k (filters), all c. Place e of channel c goes to out + e·place_stride + c·channel_stride.
static CK_INLINE void CK_NAME(transform_weights_body)(
    const ck_geometry *g, const float *weights, long block, float *out, long place_stride, long channel_stride,
    const int kernel) {
  const int places = kernel * kernel;
  for (long c = 0; c < g->source_blocks * CK_WIDTH; ++c) {
    const float *from = weights + ((block * g->source_blocks + c / CK_WIDTH) * places * CK_WIDTH + c % CK_WIDTH) * CK_WIDTH;
    vector w[25];
    for (int s = 0; s < places; ++s) w[s] = load(from + (long)s * CK_WIDTH * CK_WIDTH);
    CK_NAME(put_weights)(w, out + c * channel_stride, place_stride, kernel);
  }
}

/// Backward, where the roles are exchanged: `g` describes the pass, whose source has the forward result's channels and
/// whose result has the forward source's. The filter is turned by half a turn.
static CK_INLINE void CK_NAME(transform_turned_weights_body)(
    const ck_geometry *g, const float *weights, long block, float *out, long place_stride, long channel_stride,
    const int kernel) {
  const int places = kernel * kernel;
  for (long other = 0; other < g->source_blocks; ++other) {
    const float *from = weights + (other * g->result_blocks + block) * places * CK_WIDTH * CK_WIDTH;
    vector turned[25][CK_WIDTH];
    for (int s = 0; s < places; ++s) {
      vector *rows = turned[places - 1 - s];
      for (int i = 0; i < CK_WIDTH; ++i) rows[i] = load(from + ((long)s * CK_WIDTH + i) * CK_WIDTH);
      CK_NAME(transpose)(rows);
    }
    for (int i = 0; i < CK_WIDTH; ++i) {
      vector w[25];
      for (int s = 0; s < places; ++s) w[s] = turned[s][i];
      CK_NAME(put_weights)(w, out + (other * CK_WIDTH + i) * channel_stride, place_stride, kernel);
    }
  }
}

/// One block of k of the transformed weights of a pass.
static void CK_NAME(transform_weights)(
    const ck_geometry *g, const float *weights, long block, float *out, long place_stride, long channel_stride) {
  if (g->turned && g->kernel == 3)
    CK_NAME(transform_turned_weights_body)(g, weights, block, out, place_stride, channel_stride, 3);
  else if (g->turned)
    CK_NAME(transform_turned_weights_body)(g, weights, block, out, place_stride, channel_stride, 5);
  else if (g->kernel == 3)
    CK_NAME(transform_weights_body)(g, weights, block, out, place_stride, channel_stride, 3);
  else
    CK_NAME(transform_weights_body)(g, weights, block, out, place_stride, channel_stride, 5);
}

static CK_INLINE void CK_NAME(transform_weight_gradient_body)(
    const ck_geometry *g, const float *products, long block, long first_block, long last_block, long channel_stride,
    float *gradient, const int kernel) {
  const int places = kernel * kernel;
  for (long c = first_block * CK_WIDTH; c < last_block * CK_WIDTH; ++c) {
    const float *m = products + (c - first_block * CK_WIDTH) * channel_stride;
    vector in[36], out[25];
    for (int e = 0; e < 36; ++e) in[e] = load(m + e * CK_WIDTH);
    CK_BOTH_AXES(6, kernel, CK_WEIGHT_LINE_T, in, out);
    float *to = gradient + ((block * g->source_blocks + c / CK_WIDTH) * places * CK_WIDTH + c % CK_WIDTH) * CK_WIDTH;
    for (int s = 0; s < places; ++s) store(to + (long)s * CK_WIDTH * CK_WIDTH, out[s]);
  }
}

/// The gradient of one block of filters and some blocks of channels, from products that lie [c][e][lane].
static void CK_NAME(transform_weight_gradient)(
    const ck_geometry *g, const float *products, long block, long first_block, long last_block, long channel_stride,
    float *gradient) {
  if (g->kernel == 3)
    CK_NAME(transform_weight_gradient_body)(g, products, block, first_block, last_block, channel_stride, gradient, 3);
  else
    CK_NAME(transform_weight_gradient_body)(g, products, block, first_block, last_block, channel_stride, gradient, 5);
}

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

/// Transformed weights of one panel: [e][c][vector].
static void CK_NAME(make_panel)(const ck_work *w, long panel, float *out) {
  const int vectors = CK_NAME(panel_vectors)(&w->g, panel);
  for (int v = 0; v < vectors; ++v)
    CK_NAME(transform_weights)(
        &w->g, w->weights, 2 * panel + v, out + v * CK_WIDTH, w->panel_place_stride, vectors * CK_WIDTH);
}

/// Products and results of one panel for tiles [first, last), whose transforms are at `tiles`.
static void CK_NAME(finish_panel)(
    const ck_work *w, long panel, const float *weights, const float *tiles, long first, long last, float *products) {
  const ck_geometry *g = &w->g;
  const int vectors = CK_NAME(panel_vectors)(g, panel);
  CK_NAME(multiply_places)(
      weights, w->panel_place_stride, tiles, w->place_stride, w->tile_stride, 1, g->source_blocks * CK_WIDTH, products,
      0, last - first, vectors);
  for (int v = 0; v < vectors; ++v) {
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
      CK_NAME(make_panel)(w, panel, w->shared + panel * w->panel_floats);
  } else {
    for (long block = part; block < g->source_blocks; block += w->parts)
      CK_NAME(transform_source)(
          g, w->source, block, 0, g->tiles, w->shared + block * CK_WIDTH, w->place_stride, w->tile_stride);
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
            g, w->source, block, first, last, own + block * CK_WIDTH, w->place_stride, w->tile_stride);
      for (long panel = 0; panel < w->panels; ++panel)
        CK_NAME(finish_panel)(w, panel, w->shared + panel * w->panel_floats, own, first, last, products);
    }
  } else {
    float *products = own + w->panel_floats;
    for (long panel = part; panel < w->panels; panel += w->parts) {
      CK_NAME(make_panel)(w, panel, own);
      for (long first = 0; first < g->tiles; first += w->tile_block) {
        const long last = first + w->tile_block < g->tiles ? first + w->tile_block : g->tiles;
        CK_NAME(finish_panel)(w, panel, own, w->shared + first * w->tile_stride, first, last, products);
      }
    }
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
      CK_NAME(transform_source)(
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
          lanes, w->lane_place_stride, tiles, w->place_stride, 1, w->tile_stride, last - first, sums, first > 0,
          channels, vectors);
      if (last < g->tiles) continue;
      for (int v = 0; v < vectors; ++v)
        CK_NAME(transform_weight_gradient)(
            g, sums + v * 36 * CK_WIDTH, 2 * panel + v, first_block, last_block, 72 * CK_WIDTH, w->output);
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
      const float *from = w->diff_result + (image * g->result_blocks + block) * area * CK_WIDTH;
      for (long i = 0; i < area; ++i) sum[i % 8] += load(from + i * CK_WIDTH);
    }
    const vector total = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    for (int i = 0; i < CK_WIDTH && block * CK_WIDTH + i < w->result_channels; ++i)
      w->diff_bias[block * CK_WIDTH + i] = total[i];
  }
}

#undef CK_BOTH_AXES
#undef CK_SOURCE_LINE
#undef CK_WEIGHT_LINE
#undef CK_WEIGHT_LINE_T
#undef CK_RESULT_LINE
#undef CK_RESULT_LINE_T
