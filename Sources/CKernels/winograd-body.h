// The loops of winograd.c, included once for each instruction set with
//
//   CK_NAME(x)    x with the instruction set's suffix
//   CK_WIDTH      floats of a vector, which is also the block of channels: 8 or 16
//   CK_FUSED      whether there is a fused multiply-add
//   CK_ROWS       rows of a register tile: so many accumulators of two vectors each stay in registers
//
// Names of extents: e counts the 36 places of a transformed tile, c the channels that are summed over, k those of the
// result, which lie side by side in vectors; t counts tiles. A panel is what one register tile is wide: two vectors of k.
// Strides are padded by a vector so that the 36 places do not fall into the same cache set.

typedef float CK_NAME(vector) __attribute__((vector_size(4 * CK_WIDTH), aligned(4), may_alias));
#define vector CK_NAME(vector)

static CK_INLINE vector CK_NAME(load)(const float *p) { return *(const vector *)p; }
static CK_INLINE void CK_NAME(store)(float *p, vector v) { *(vector *)p = v; }

/// a·b + c.
static CK_INLINE vector CK_NAME(fma)(vector a, vector b, vector c) {
#if CK_FUSED
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}
static CK_INLINE vector CK_NAME(fmas)(float a, vector b, vector c) { return CK_NAME(fma)((vector){} + a, b, c); }

typedef int CK_NAME(mask) __attribute__((vector_size(4 * CK_WIDTH)));

/// max(v, 0), and what is not a number stays so.
static CK_INLINE vector CK_NAME(positive)(vector v) {
  return (vector)((CK_NAME(mask))v & ~(CK_NAME(mask))(v < (vector){}));
}

#define load CK_NAME(load)
#define store CK_NAME(store)
#define fma CK_NAME(fma)
#define fmas CK_NAME(fmas)

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
  const vector zero = {};
  t[0] = (zero + N0) * g[0];
  t[1] = (zero + NA) * fmas(A1, odd_a, even_a);
  t[2] = (zero + NA) * fmas(-A1, odd_a, even_a);
  t[3] = (zero + NB) * fmas(B1, odd_b, even_b);
  t[4] = (zero + NB) * fmas(-B1, odd_b, even_b);
  t[5] = g[kernel - 1];
}

/// Gᵀt: the gradient of a filter's line.
static CK_INLINE void CK_NAME(weight_line_transposed)(const vector t[6], vector *g, int kernel) {
  const vector zero = {};
  const vector even_a = (zero + NA) * (t[1] + t[2]), odd_a = (zero + NA * A1) * (t[1] - t[2]);
  const vector even_b = (zero + NB) * (t[3] + t[4]), odd_b = (zero + NB * B1) * (t[3] - t[4]);
  g[0] = fmas(N0, t[0], even_a + even_b);
  g[1] = odd_a + odd_b;
  g[2] = fmas(A2, even_a, (zero + B2) * even_b);
  if (kernel == 5) {
    g[3] = fmas(A2, odd_a, (zero + B2) * odd_b);
    g[4] = fmas(A2 * A2, even_a, fmas(B2 * B2, even_b, t[5]));
  } else {
    g[2] += t[5];
  }
}

/// Aᵀt: `tile` elements of a result.
static CK_INLINE void CK_NAME(result_line)(const vector t[6], vector *y, int tile) {
  const vector sa = t[1] + t[2], da = t[1] - t[2], sb = t[3] + t[4], db = t[3] - t[4];
  const vector zero = {};
  y[0] = t[0] + (sa + sb);
  y[1] = fmas(A1, da, (zero + B1) * db);
  if (tile == 4) {
    y[2] = fmas(A2, sa, (zero + B2) * sb);
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
  const vector zero = {};
  const vector added = bias ? load(bias) : zero;
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
        if (relu) y = CK_NAME(positive)(y);
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

/// rows[i][j] and rows[j][i] change places.
static CK_INLINE void CK_NAME(transpose)(vector rows[CK_WIDTH]) {
  vector other[CK_WIDTH];
#if CK_WIDTH == 16
#define CK_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define CK_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#else
#define CK_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define CK_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#endif
  // Interleaving row i with row i + width/2, as often as an index has bits, exchanges the two indices.
  for (int round = 1; round < CK_WIDTH; round *= 2) {
    for (int i = 0; i < CK_WIDTH / 2; ++i) {
      other[2 * i] = CK_LOW(rows[i], rows[i + CK_WIDTH / 2]);
      other[2 * i + 1] = CK_HIGH(rows[i], rows[i + CK_WIDTH / 2]);
    }
    for (int i = 0; i < CK_WIDTH; ++i) rows[i] = other[i];
  }
#undef CK_LOW
#undef CK_HIGH
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

/// out[i][v] (+)= Σ over r of scalars[i·row_stride + r·step] · lanes[r][v], for `rows` rows and one or two vectors v.
/// A row's vectors lie 36 vectors apart, rows `out_stride` apart.
static CK_INLINE void CK_NAME(multiply_body)(
    const float *lanes, const float *scalars, long row_stride, long step, long count, float *out, long out_stride,
    int adds, const int rows, const int vectors) {
  vector sum[CK_ROWS][2];
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      const vector zero = {};
      sum[i][v] = adds ? load(out + i * out_stride + v * 36 * CK_WIDTH) : zero;
    }
  // Rows in threes: one pointer reaches three rows with the scaled addresses of x86.
  const float *row[(CK_ROWS + 2) / 3];
  for (int i = 0; i < rows; i += 3) row[i / 3] = scalars + i * row_stride;
  for (long r = 0; r < count; ++r) {
    const vector a = load(lanes), b = vectors == 2 ? load(lanes + CK_WIDTH) : a;
    lanes += vectors * CK_WIDTH;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) {
      const vector x = (vector){} + row[i / 3][(i % 3) * row_stride];
      sum[i][0] = fma(x, a, sum[i][0]);
      if (vectors == 2) sum[i][1] = fma(x, b, sum[i][1]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) row[i / 3] += step;
  }
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) store(out + i * out_stride + v * 36 * CK_WIDTH, sum[i][v]);
}

#define CK_PRODUCT(n)                                                                                           \
  case n:                                                                                                       \
    if (vectors == 2)                                                                                           \
      CK_NAME(multiply_body)(lanes, scalars, row_stride, step, count, out, out_stride, adds, n, 2);             \
    else                                                                                                        \
      CK_NAME(multiply_body)(lanes, scalars, row_stride, step, count, out, out_stride, adds, n, 1);             \
    break;

static void CK_NAME(multiply)(
    const float *lanes, const float *scalars, long row_stride, long step, long count, float *out, long out_stride,
    int adds, int rows, int vectors) {
  switch (rows) {
    CK_PRODUCT(1) CK_PRODUCT(2) CK_PRODUCT(3) CK_PRODUCT(4) CK_PRODUCT(5) CK_PRODUCT(6)
#if CK_ROWS == 12
    CK_PRODUCT(7) CK_PRODUCT(8) CK_PRODUCT(9) CK_PRODUCT(10) CK_PRODUCT(11) CK_PRODUCT(12)
#endif
  }
}
#undef CK_PRODUCT

/// All 36 places of `rows` rows with one panel.
/// - place_stride_lanes, place_stride_scalars: from one place to the next.
static void CK_NAME(multiply_places)(
    const float *lanes, long place_stride_lanes, const float *scalars, long place_stride_scalars, long row_stride,
    long step, long count, float *out, long out_stride, int adds, long rows, int vectors) {
  for (int e = 0; e < 36; ++e)
    for (long i = 0; i < rows; i += CK_ROWS)
      CK_NAME(multiply)(
          lanes + e * place_stride_lanes, scalars + e * place_stride_scalars + i * row_stride, row_stride, step, count,
          out + i * out_stride + e * CK_WIDTH, out_stride, adds, (int)(rows - i < CK_ROWS ? rows - i : CK_ROWS), vectors);
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
      72 * CK_WIDTH, 0, last - first, vectors);
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
          lanes, w->lane_place_stride, tiles, w->place_stride, 1, w->tile_stride, last - first, sums, 72 * CK_WIDTH,
          first > 0, channels, vectors);
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

#undef vector
#undef load
#undef store
#undef fma
#undef fmas
#undef CK_BOTH_AXES
#undef CK_SOURCE_LINE
#undef CK_WEIGHT_LINE
#undef CK_WEIGHT_LINE_T
#undef CK_RESULT_LINE
#undef CK_RESULT_LINE_T
#undef CK_NAME
#undef CK_WIDTH
#undef CK_FUSED
#undef CK_ROWS
