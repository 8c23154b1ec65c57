// The loops of winograd.c, included once for each instruction set by instruction-sets.h.
//
// Names of extents: e counts the 36 places of a transformed tile, c the channels that are summed over, k those of the
// result, which lie side by side in vectors; t counts tiles. A panel is what one register tile is wide: two vectors of k.
// Strides are padded by a vector so that the 36 places do not fall into the same cache set.
//
// Transformed tiles and weights are kept in words of 32 bits, which hold a float, or the bfloat16 of two numbers that
// follow each other in the sum: two channels forward and for the gradient of the source, two tiles for that of the weights.

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

/// Vectors in memory, on cache lines of their own.
#define CK_LOCAL vector __attribute__((aligned(64)))

/// The first of the vectors of `extent` rows and columns from (top, left) of an image, and in `row_stride` how many elements
/// its rows lie apart: the image itself, or where the tile hangs over its edge a copy with zeros in `copy`.
static CK_INLINE const ck_element *CK_NAME(fetch)(
    const ck_element *image, long height, long width, long top, long left, const int extent, ck_element *copy,
    long *row_stride) {
  if (top >= 0 && left >= 0 && top + extent <= height && left + extent <= width) {
    *row_stride = width * CK_WIDTH;
    return image + (top * width + left) * CK_WIDTH;
  }
  memset(copy, 0, (unsigned long)(extent * extent) * CK_WIDTH * sizeof(ck_element));
  const int first_row = top < 0 ? (int)-top : 0, last_row = (int)(height - top < extent ? height - top : extent);
  const int first = left < 0 ? (int)-left : 0, last = (int)(width - left < extent ? width - left : extent);
  for (int i = first_row; i < last_row; ++i)
    for (int j = first; j < last; ++j)
      memcpy(
          copy + (i * extent + j) * CK_WIDTH, image + ((top + i) * width + left + j) * CK_WIDTH,
          CK_WIDTH * sizeof(ck_element));
  *row_stride = extent * CK_WIDTH;
  return copy;
}

/// Asks for the elements of tile t + 2 that tile t + 1 does not have: tiles are read along a row, and fetching from the
/// third-level cache takes longer than transforming.
static CK_INLINE void CK_NAME(prefetch)(
    const ck_geometry *g, const ck_element *images, long blocks, long block, long height, long width, long t, long top,
    long left, const int extent, const int writes) {
  if (t + 2 >= g->tiles) return;
  const ck_tile at = ck_tile_at(g, t + 2);
  const long row = at.row * g->tile + top, column = at.column * g->tile + left + extent - g->tile;
  const ck_element *p = images + (((at.image * blocks + block) * height + row) * width + column) * CK_WIDTH;
  for (int i = 0; i < extent; ++i)
    for (int j = 0; j < g->tile; ++j) {
      if (writes)
        __builtin_prefetch(p + (i * width + j) * CK_WIDTH, 1);
      else
        __builtin_prefetch(p + (i * width + j) * CK_WIDTH, 0);
    }
}

/// Transforms the columns, then the rows, of `from`×`from` vectors to `to`×`to` with a line's transform. `at(i, j)` is an
/// expression for the vector in row i, column j of the source, `put(i, j, v)` a statement for one of the result.
#define CK_BOTH_AXES(from, to, line, at, put)                       \
  do {                                                              \
    CK_LOCAL half[6 * 6];                                           \
    for (int j = 0; j < (from); ++j) {                              \
      vector a[6], b[6];                                            \
      _Pragma("clang loop unroll(full)")                            \
      for (int i = 0; i < (from); ++i) a[i] = at(i, j);             \
      line(a, b);                                                   \
      _Pragma("clang loop unroll(full)")                            \
      for (int i = 0; i < (to); ++i) half[i * (from) + j] = b[i];   \
    }                                                               \
    for (int i = 0; i < (to); ++i) {                                \
      vector a[6], b[6];                                            \
      _Pragma("clang loop unroll(full)")                            \
      for (int j = 0; j < (from); ++j) a[j] = half[i * (from) + j]; \
      line(a, b);                                                   \
      _Pragma("clang loop unroll(full)")                            \
      for (int j = 0; j < (to); ++j) put(i, j, b[j]);               \
    }                                                               \
  } while (0)

/// A place of a transformed tile, and one of an image or a filter in vectors that lie side by side.
#define CK_AT_ROW(i, j) load_element(from + (i) * row_stride + (j) * CK_WIDTH)
#define CK_AT_PLACE(i, j) load(from + ((i) * 6 + (j)) * CK_WIDTH)
#define CK_PUT_PLACE(i, j, v) store(to + ((i) * 6 + (j)) * place_stride, v)
/// The first of two that share words waits for the second.
#define CK_KEEP_PLACE(i, j, v) lower[(i) * 6 + (j)] = (v)
#if CK_BFLOAT16
#define CK_PUT_HALF_PLACE(i, j, v) store_element((ck_element *)(to + ((i) * 6 + (j)) * place_stride), v)
#define CK_PUT_PAIR(i, j, v) CK_PUT_PLACE(i, j, CK_NAME(pair)(lower[(i) * 6 + (j)], v))
#else
#define CK_PUT_HALF_PLACE CK_PUT_PLACE
#define CK_PUT_PAIR CK_PUT_PLACE
#endif

#define CK_SOURCE_LINE(in, out) CK_NAME(source_line)(in, out)
#define CK_WEIGHT_LINE(in, out) CK_NAME(weight_line)(in, out, kernel)
#define CK_WEIGHT_LINE_T(in, out) CK_NAME(weight_line_transposed)(in, out, kernel)
#define CK_RESULT_LINE(in, out) CK_NAME(result_line)(in, out, tile)
#define CK_RESULT_LINE_T(in, out) CK_NAME(result_line_transposed)(in, out, tile)

/// Calls `tile(t, to, put)` for the tiles [first, last), two for each word: place e of tile t goes to
/// out + e·place_stride + t / CK_PER_WORD·tile_stride. Where a last word has but one tile the other is zero.
#define CK_TILES_BY_WORD(tile)                                                                        \
  for (long t = first; t < last; t += CK_PER_WORD) {                                                  \
    float *to = out + (t - first) / CK_PER_WORD * tile_stride;                                        \
    if (CK_PER_WORD == 1) {                                                                           \
      tile(t, CK_PUT_PLACE);                                                                          \
    } else {                                                                                          \
      CK_LOCAL lower[36];                                                                             \
      tile(t, CK_KEEP_PLACE);                                                                         \
      if (t + 1 < last)                                                                               \
        tile(t + 1, CK_PUT_PAIR);                                                                     \
      else                                                                                            \
        for (int e = 0; e < 36; ++e) CK_PUT_PAIR(0, e, splat(0));                                     \
    }                                                                                                 \
  }

/// One block of channels of tiles [first, last). Where the sum goes over the channels, a tile is a row of its own: place e of
/// tile t goes to out + e·place_stride + t·tile_stride.
static CK_INLINE void CK_NAME(transform_source_body)(
    const ck_geometry *g, const ck_element *source, long block, long first, long last, float *out, long place_stride,
    long tile_stride, const int sums_tiles) {
#define CK_SOURCE_TILE(t, put)                                                                                   \
  do {                                                                                                           \
    const ck_tile at = ck_tile_at(g, t);                                                                         \
    const ck_element *image = source + (at.image * g->source_blocks + block) * g->height * g->width * CK_WIDTH;  \
    const long top = at.row * g->tile - g->padding_top, left = at.column * g->tile - g->padding_left;            \
    CK_NAME(prefetch)                                                                                            \
    (g, source, g->source_blocks, block, g->height, g->width, t, -g->padding_top, -g->padding_left, 6, 0);       \
    ck_element copy[36 * CK_WIDTH] __attribute__((aligned(64)));                                                 \
    long row_stride;                                                                                             \
    const ck_element *from = CK_NAME(fetch)(image, g->height, g->width, top, left, 6, copy, &row_stride);        \
    CK_BOTH_AXES(6, 6, CK_SOURCE_LINE, CK_AT_ROW, put);                                                          \
  } while (0)
  if (sums_tiles) {
    CK_TILES_BY_WORD(CK_SOURCE_TILE)
  } else {
    for (long t = first; t < last; ++t) {
      float *to = out + (t - first) * tile_stride;
      CK_SOURCE_TILE(t, CK_PUT_HALF_PLACE);
    }
  }
#undef CK_SOURCE_TILE
}

static void CK_NAME(transform_source)(
    const ck_geometry *g, const ck_element *source, long block, long first, long last, float *out, long place_stride,
    long tile_stride) {
  CK_NAME(transform_source_body)(g, source, block, first, last, out, place_stride, tile_stride, 0);
}

static void CK_NAME(transform_source_to_sum)(
    const ck_geometry *g, const ck_element *source, long block, long first, long last, float *out, long place_stride,
    long tile_stride) {
  CK_NAME(transform_source_body)(g, source, block, first, last, out, place_stride, tile_stride, 1);
}

static CK_INLINE void CK_NAME(transform_gradient_body)(
    const ck_geometry *g, const ck_element *gradient, long block, long first, long last, float *out, long place_stride,
    long tile_stride, const int tile) {
#define CK_GRADIENT_TILE(t, put)                                                                                   \
  do {                                                                                                             \
    const ck_tile at = ck_tile_at(g, t);                                                                           \
    const ck_element *image =                                                                                      \
        gradient + (at.image * g->result_blocks + block) * g->out_height * g->out_width * CK_WIDTH;                \
    CK_NAME(prefetch)(g, gradient, g->result_blocks, block, g->out_height, g->out_width, t, 0, 0, tile, 0);        \
    ck_element copy[16 * CK_WIDTH] __attribute__((aligned(64)));                                                   \
    long row_stride;                                                                                               \
    const ck_element *from =                                                                                       \
        CK_NAME(fetch)(image, g->out_height, g->out_width, at.row * tile, at.column * tile, tile, copy, &row_stride); \
    CK_BOTH_AXES(tile, 6, CK_RESULT_LINE_T, CK_AT_ROW, put);                                                       \
  } while (0)
  CK_TILES_BY_WORD(CK_GRADIENT_TILE)
#undef CK_GRADIENT_TILE
}

/// As `transform_source_to_sum` for one block of a result's gradient, whose tiles do not overlap.
static void CK_NAME(transform_gradient)(
    const ck_geometry *g, const ck_element *gradient, long block, long first, long last, float *out, long place_stride,
    long tile_stride) {
  if (g->tile == 4)
    CK_NAME(transform_gradient_body)(g, gradient, block, first, last, out, place_stride, tile_stride, 4);
  else
    CK_NAME(transform_gradient_body)(g, gradient, block, first, last, out, place_stride, tile_stride, 2);
}

static CK_INLINE void CK_NAME(transform_result_body)(
    const ck_geometry *g, const float *products, long block, long first, long last, long tile_stride,
    const float *bias, int relu, ck_element *result, const int tile) {
  const vector added = bias ? load(bias) : splat(0);
  for (long t = first; t < last; ++t) {
    const ck_tile at = ck_tile_at(g, t);
    CK_NAME(prefetch)(g, result, g->result_blocks, block, g->out_height, g->out_width, t, 0, 0, tile, 1);
    const float *from = products + (t - first) * tile_stride;
    ck_element *image = result + (at.image * g->result_blocks + block) * g->out_height * g->out_width * CK_WIDTH;
    const long top = at.row * tile, left = at.column * tile;
    ck_element *to = image + (top * g->out_width + left) * CK_WIDTH;
    const long row_stride = g->out_width * CK_WIDTH;
    const long rows = g->out_height - top, columns = g->out_width - left;
#define CK_PUT_RESULT(i, j, v)                                          \
  do {                                                                  \
    const vector y = (v) + added;                                       \
    if (i < rows && j < columns)                                        \
      store_element(to + (i) * row_stride + (j) * CK_WIDTH, relu ? positive(y) : y); \
  } while (0)
    CK_BOTH_AXES(6, tile, CK_RESULT_LINE, CK_AT_PLACE, CK_PUT_RESULT);
#undef CK_PUT_RESULT
  }
}

/// One block of the result from products that lie [tile][e][lane] with `tile_stride` between tiles.
static void CK_NAME(transform_result)(
    const ck_geometry *g, const float *products, long block, long first, long last, long tile_stride,
    const float *bias, int relu, ck_element *result) {
  if (g->tile == 4)
    CK_NAME(transform_result_body)(g, products, block, first, last, tile_stride, bias, relu, result, 4);
  else
    CK_NAME(transform_result_body)(g, products, block, first, last, tile_stride, bias, relu, result, 2);
}

/// Forward: one block of k (filters), some of c. Place e of the i-th channel goes to
/// out + e·place_stride + i / CK_PER_WORD·channel_stride.
static CK_INLINE void CK_NAME(transform_weights_body)(
    const ck_geometry *g, const float *weights, long block, long first, long last, float *out, long place_stride,
    long channel_stride, const int kernel) {
  const int places = kernel * kernel;
  CK_LOCAL lower[36];
  for (long c = first * CK_WIDTH; c < last * CK_WIDTH; ++c) {
    const float *from = weights + ((block * g->source_blocks + c / CK_WIDTH) * places * CK_WIDTH + c % CK_WIDTH) * CK_WIDTH;
    float *to = out + (c - first * CK_WIDTH) / CK_PER_WORD * channel_stride;
    // A block of weights ahead, which is what comes after this one.
    for (int s = 0; s < places; ++s) __builtin_prefetch(from + (long)(places + s) * CK_WIDTH * CK_WIDTH);
#define CK_AT_WEIGHT(i, j) load(from + (long)((i) * kernel + (j)) * CK_WIDTH * CK_WIDTH)
    if (CK_PER_WORD == 2 && c % 2 == 0)
      CK_BOTH_AXES(kernel, 6, CK_WEIGHT_LINE, CK_AT_WEIGHT, CK_KEEP_PLACE);
    else
      CK_BOTH_AXES(kernel, 6, CK_WEIGHT_LINE, CK_AT_WEIGHT, CK_PUT_PAIR);
#undef CK_AT_WEIGHT
  }
}

/// Backward, where the roles are exchanged: `g` describes the pass, whose source has the forward result's channels and
/// whose result has the forward source's. The filter is turned by half a turn.
static CK_INLINE void CK_NAME(transform_turned_weights_body)(
    const ck_geometry *g, const float *weights, long block, long first, long last, float *out, long place_stride,
    long channel_stride, const int kernel) {
  const int places = kernel * kernel;
  CK_LOCAL lower[36];
  for (long other = first; other < last; ++other) {
    const float *from = weights + (other * g->result_blocks + block) * places * CK_WIDTH * CK_WIDTH;
    CK_LOCAL turned[25][CK_WIDTH];
    for (int s = 0; s < places; ++s) {
      vector *rows = turned[places - 1 - s];
      for (int i = 0; i < CK_WIDTH; ++i) rows[i] = load(from + ((long)s * CK_WIDTH + i) * CK_WIDTH);
      CK_NAME(transpose)(rows);
    }
    const float *next = from + g->result_blocks * places * CK_WIDTH * CK_WIDTH;
    for (int k = 0; k < CK_WIDTH; ++k) {
      for (int s = 0; s < places; ++s) __builtin_prefetch(next + (k * places + s) * CK_WIDTH);
      float *to = out + ((other - first) * CK_WIDTH + k) / CK_PER_WORD * channel_stride;
#define CK_AT_TURNED(i, j) turned[(i) * kernel + (j)][k]
      if (CK_PER_WORD == 2 && k % 2 == 0)
        CK_BOTH_AXES(kernel, 6, CK_WEIGHT_LINE, CK_AT_TURNED, CK_KEEP_PLACE);
      else
        CK_BOTH_AXES(kernel, 6, CK_WEIGHT_LINE, CK_AT_TURNED, CK_PUT_PAIR);
#undef CK_AT_TURNED
    }
  }
}

/// One block of k and the blocks [first, last) of c of the transformed weights of a pass.
static void CK_NAME(transform_weights)(
    const ck_geometry *g, const float *weights, long block, long first, long last, float *out, long place_stride,
    long channel_stride) {
  if (g->turned && g->kernel == 3)
    CK_NAME(transform_turned_weights_body)(g, weights, block, first, last, out, place_stride, channel_stride, 3);
  else if (g->turned)
    CK_NAME(transform_turned_weights_body)(g, weights, block, first, last, out, place_stride, channel_stride, 5);
  else if (g->kernel == 3)
    CK_NAME(transform_weights_body)(g, weights, block, first, last, out, place_stride, channel_stride, 3);
  else
    CK_NAME(transform_weights_body)(g, weights, block, first, last, out, place_stride, channel_stride, 5);
}

static CK_INLINE void CK_NAME(transform_weight_gradient_body)(
    const ck_geometry *g, const float *products, long block, long first_block, long last_block, long channel_stride,
    float *gradient, const int kernel) {
  const int places = kernel * kernel;
  for (long c = first_block * CK_WIDTH; c < last_block * CK_WIDTH; ++c) {
    const float *from = products + (c - first_block * CK_WIDTH) * channel_stride;
    float *to = gradient + ((block * g->source_blocks + c / CK_WIDTH) * places * CK_WIDTH + c % CK_WIDTH) * CK_WIDTH;
#define CK_PUT_WEIGHT(i, j, v) store(to + (long)((i) * kernel + (j)) * CK_WIDTH * CK_WIDTH, v)
    CK_BOTH_AXES(6, kernel, CK_WEIGHT_LINE_T, CK_AT_PLACE, CK_PUT_WEIGHT);
#undef CK_PUT_WEIGHT
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
