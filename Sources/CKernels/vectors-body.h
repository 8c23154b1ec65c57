// Vectors, their transposition and products in registers: what the loops of convolutions and inner products share.
// Included by instruction-sets.h, once for each set and ahead of those loops, with
//
//   CK_NAME(x)    x with the instruction set's suffix
//   CK_WIDTH      floats of a vector, which is also the block of channels: 8 or 16
//   CK_FUSED      whether there is a fused multiply-add
//   CK_ROWS       rows of a register tile: so many accumulators of two vectors each stay in registers
//   CK_DOTS       whether there are instructions for bfloat16: sums of two products, and rounding
//
// and undone by vectors-end.h. CK_BFLOAT16 says what images and factors of products are stored as (element.h).

typedef float CK_NAME(vector) __attribute__((vector_size(4 * CK_WIDTH), aligned(4), may_alias));
typedef int CK_NAME(mask) __attribute__((vector_size(4 * CK_WIDTH)));
#define vector CK_NAME(vector)

static CK_INLINE vector CK_NAME(load)(const float *p) { return *(const vector *)p; }
static CK_INLINE void CK_NAME(store)(float *p, vector v) { *(vector *)p = v; }

/// All lanes equal. Adding a scalar to a vector of zeros would do, but costs an addition: it makes −0 to +0.
static CK_INLINE vector CK_NAME(splat)(float x) {
  const vector v = {x};
#if CK_WIDTH == 16
  return __builtin_shufflevector(v, v, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
#else
  return __builtin_shufflevector(v, v, 0, 0, 0, 0, 0, 0, 0, 0);
#endif
}

/// a·b + c.
static CK_INLINE vector CK_NAME(fma)(vector a, vector b, vector c) {
#if CK_FUSED
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}
static CK_INLINE vector CK_NAME(fmas)(float a, vector b, vector c) { return CK_NAME(fma)(CK_NAME(splat)(a), b, c); }

/// max(v, 0), and what is not a number stays so.
static CK_INLINE vector CK_NAME(positive)(vector v) {
  return (vector)((CK_NAME(mask))v & ~(CK_NAME(mask))(v < (vector){}));
}

#if CK_BFLOAT16
// Two bfloat16 in each lane, the one with the lower address in the lower half. Without instructions of its own the
// arithmetic is that of integers and floats, and gives the same bits: denormals count as zero, and a product is exact.
typedef unsigned CK_NAME(words) __attribute__((vector_size(4 * CK_WIDTH)));
typedef unsigned short CK_NAME(halves) __attribute__((vector_size(2 * CK_WIDTH), aligned(2), may_alias));

/// Each lane rounded to the nearest bfloat16, ties to even.
static CK_INLINE CK_NAME(halves) CK_NAME(rounded)(vector v) {
#if CK_DOTS
  return (CK_NAME(halves))_mm512_cvtneps_pbh((__m512)v);
#else
  const CK_NAME(words) bits = (CK_NAME(words))v;
  const CK_NAME(words) nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, quiet = (bits >> 16) | 0x40;
  const CK_NAME(words) no_number = (CK_NAME(words))(v != v), denormal = (CK_NAME(words))((bits & 0x7f800000) == 0);
  const CK_NAME(words) sign = (bits >> 16) & 0x8000;
  const CK_NAME(words) number = (sign & denormal) | (nearest & ~denormal);
  return __builtin_convertvector((quiet & no_number) | (number & ~no_number), CK_NAME(halves));
#endif
}

static CK_INLINE vector CK_NAME(load_element)(const ck_element *p) {
  return (vector)(__builtin_convertvector(*(const CK_NAME(halves) *)p, CK_NAME(words)) << 16);
}
static CK_INLINE void CK_NAME(store_element)(ck_element *p, vector v) { *(CK_NAME(halves) *)p = CK_NAME(rounded)(v); }

/// Two vectors, rounded, in one: lane i of each in word i.
static CK_INLINE vector CK_NAME(pair)(vector lower, vector upper) {
#if CK_DOTS
  typedef unsigned short all __attribute__((vector_size(64)));
  const all both = (all)_mm512_cvtne2ps_pbh((__m512)upper, (__m512)lower);
  return (vector)__builtin_shufflevector(
      both, both, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,
      30, 15, 31);
#else
  const CK_NAME(words) low = __builtin_convertvector(CK_NAME(rounded)(lower), CK_NAME(words));
  const CK_NAME(words) high = __builtin_convertvector(CK_NAME(rounded)(upper), CK_NAME(words));
  return (vector)(low | (high << 16));
#endif
}

/// Σ of the two products of each word's halves, added to c: the upper ones first, each sum rounded.
static CK_INLINE vector CK_NAME(dot)(vector a, vector b, vector c) {
#if CK_DOTS
  return (vector)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
#else
  const CK_NAME(words) upper = (CK_NAME(words)){} + 0xffff0000u;
  const vector high = CK_NAME(fma)(
      (vector)((CK_NAME(words))a & upper), (vector)((CK_NAME(words))b & upper), c);
  return CK_NAME(fma)((vector)((CK_NAME(words))a << 16), (vector)((CK_NAME(words))b << 16), high);
#endif
}
#else
static CK_INLINE vector CK_NAME(load_element)(const ck_element *p) { return CK_NAME(load)(p); }
static CK_INLINE void CK_NAME(store_element)(ck_element *p, vector v) { CK_NAME(store)(p, v); }
#endif

#define load_element CK_NAME(load_element)
#define store_element CK_NAME(store_element)
#define load CK_NAME(load)
#define store CK_NAME(store)
#define splat CK_NAME(splat)
#define fma CK_NAME(fma)
#define fmas CK_NAME(fmas)
#define positive CK_NAME(positive)

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

/// One product of each lane, or the two of its halves.
#if CK_BFLOAT16
#define CK_MULTIPLY(a, b, c) CK_NAME(dot)(a, b, c)
#else
#define CK_MULTIPLY(a, b, c) fma(a, b, c)
#endif

static CK_INLINE void CK_NAME(multiply_body)(const ck_register_tile *t, float *out, const int rows, const int vectors) {
  vector sum[CK_ROWS][2];
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      const vector zero = {};
      sum[i][v] = t->adds ? load(out + i * t->out_row_stride + v * t->out_vector_stride) : zero;
    }
  const float *lanes = t->lanes;
  const long lane_step = t->lane_step, vector_stride = t->lane_vector_stride;
  // Rows in threes: one pointer reaches three rows with the scaled addresses of x86.
  const long row_stride = t->row_stride, step = t->step;
  const float *row[(CK_ROWS + 2) / 3];
  for (int i = 0; i < rows; i += 3) row[i / 3] = t->scalars + i * row_stride;
  for (long block = 0; block < t->blocks; ++block) {
    for (long r = 0; r < t->count; ++r) {
      const vector a = load(lanes), b = vectors == 2 ? load(lanes + vector_stride) : a;
      lanes += lane_step;
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; ++i) {
        const vector x = splat(row[i / 3][(i % 3) * row_stride]);
        sum[i][0] = CK_MULTIPLY(x, a, sum[i][0]);
        if (vectors == 2) sum[i][1] = CK_MULTIPLY(x, b, sum[i][1]);
      }
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i += 3) row[i / 3] += step;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) row[i / 3] += t->block_jump;
  }
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) store(out + i * t->out_row_stride + v * t->out_vector_stride, sum[i][v]);
}

#define CK_PRODUCT(n)                              \
  case n:                                          \
    if (vectors == 2)                              \
      CK_NAME(multiply_body)(t, out, n, 2);        \
    else                                           \
      CK_NAME(multiply_body)(t, out, n, 1);        \
    break;

/// out[i][v] (+)= Σ over r of scalars[i][r] · lanes[r][v], for up to CK_ROWS rows i and one or two vectors v.
static void CK_NAME(multiply)(const ck_register_tile *t, float *out, int rows, int vectors) {
  switch (rows) {
    CK_PRODUCT(1) CK_PRODUCT(2) CK_PRODUCT(3) CK_PRODUCT(4) CK_PRODUCT(5) CK_PRODUCT(6)
#if CK_ROWS == 12
    CK_PRODUCT(7) CK_PRODUCT(8) CK_PRODUCT(9) CK_PRODUCT(10) CK_PRODUCT(11) CK_PRODUCT(12)
#endif
  }
}
#undef CK_PRODUCT

/// The same for any number of rows.
static void CK_NAME(multiply_rows)(const ck_register_tile *all, float *out, long rows, int vectors) {
  ck_register_tile t = *all;
  for (long i = 0; i < rows; i += CK_ROWS) {
    t.scalars = all->scalars + i * t.row_stride;
    CK_NAME(multiply)(&t, out + i * t.out_row_stride, (int)(rows - i < CK_ROWS ? rows - i : CK_ROWS), vectors);
  }
}
