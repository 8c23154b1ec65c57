// Winograd's transforms of lines and of whole tiles: the first half of winograd-body.h, whose names of extents it shares.

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
