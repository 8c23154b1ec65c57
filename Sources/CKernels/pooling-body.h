// The loops of pooling.c, included once for each instruction set by instruction-sets.h.

typedef unsigned char CK_NAME(bytes) __attribute__((vector_size(CK_WIDTH), aligned(1), may_alias));
#define bytes CK_NAME(bytes)
#define mask CK_NAME(mask)

/// `a` where `chosen`, else `b`.
static CK_INLINE vector CK_NAME(select)(mask chosen, vector a, vector b) {
  return (vector)((chosen & (mask)a) | (~chosen & (mask)b));
}

static CK_INLINE mask CK_NAME(all)(int x) {
  const mask zero = {};
  return zero + x;
}

// MARK: max

/// The largest of a window's rows `i` and columns `j` from p, and where it stands.
static CK_INLINE void CK_NAME(largest)(
    const float *p, long row, ck_span i, ck_span j, long kernel_width, float *result, unsigned char *place) {
  vector best = load(p + i.first * row + j.first * CK_WIDTH);
  mask where = CK_NAME(all)((int)(i.first * kernel_width + j.first));
  for (long k = i.first; k < i.last; ++k)
    for (long l = j.first; l < j.last; ++l) {
      const vector x = load(p + k * row + l * CK_WIDTH);
      const mask larger = (x > best) | (x != x);
      best = CK_NAME(select)(larger, x, best);
      where = (mask)CK_NAME(select)(larger, (vector)CK_NAME(all)((int)(k * kernel_width + l)), (vector)where);
    }
  store(result, best);
  if (place) *(bytes *)place = __builtin_convertvector(where, bytes);
}

/// One block of an image. Windows inside of the image are `kernel`² where that is not 0, so that their loops unroll.
static CK_INLINE void CK_NAME(max_block)(
    const ck_pool *s, const float *x, float *y, unsigned char *places, const long kernel) {
  const long row = s->width * CK_WIDTH;
  const long kernel_width = kernel ? kernel : s->kernel_width;
  const ck_span whole = {0, kernel};
  for (long oh = 0; oh < s->out_height; ++oh) {
    const long top = oh * s->stride_height - s->padding_top;
    const ck_span i = ck_inside(top, s->kernel_height, s->height);
    for (long ow = 0; ow < s->out_width; ++ow) {
      const long left = ow * s->stride_width - s->padding_left;
      const ck_span j = ck_inside(left, kernel_width, s->width);
      const float *p = x + top * row + left * CK_WIDTH;
      const long at = (oh * s->out_width + ow) * CK_WIDTH;
      if (kernel && i.last - i.first == kernel && j.last - j.first == kernel)
        CK_NAME(largest)(p, row, whole, whole, kernel, y + at, places ? places + at : 0);
      else
        CK_NAME(largest)(p, row, i, j, kernel_width, y + at, places ? places + at : 0);
    }
  }
}

static void CK_NAME(max_forward)(void *context, int part) {
  const ck_pool_work *w = context;
  const ck_pool *s = &w->shape;
  const long count = s->batch * ((s->channels + CK_WIDTH - 1) / CK_WIDTH);
  const long area = s->height * s->width * CK_WIDTH, out_area = s->out_height * s->out_width * CK_WIDTH;
  const long kernel = s->kernel_height == s->kernel_width ? s->kernel_height : 0;
  for (long b = part * count / w->parts; b < (part + 1) * count / w->parts; ++b) {
    const float *x = w->from + b * area;
    float *y = w->to + b * out_area;
    unsigned char *places = w->places_to ? w->places_to + b * out_area : 0;
    if (kernel == 2)
      CK_NAME(max_block)(s, x, y, places, 2);
    else if (kernel == 3)
      CK_NAME(max_block)(s, x, y, places, 3);
    else
      CK_NAME(max_block)(s, x, y, places, 0);
  }
}

// MARK: gradients

/// dy where its place is `place`.
static CK_INLINE vector CK_NAME(placed)(vector dy, mask where, long place) {
  return (vector)((mask)dy & (where == CK_NAME(all)((int)place)));
}

static CK_INLINE mask CK_NAME(places_at)(const unsigned char *places) {
  return __builtin_convertvector(*(const bytes *)places, mask);
}

/// Outputs first ... last along an axis whose windows contain a position of the image.
typedef struct {
  long first, last;
} CK_NAME(outputs);

static CK_INLINE CK_NAME(outputs)
    CK_NAME(outputs_of)(long position, long padding, long kernel, long stride, long extent) {
  const long before = position + padding - kernel, last = (position + padding) / stride;
  return (CK_NAME(outputs)){before < 0 ? 0 : before / stride + 1, last < extent ? last : extent - 1};
}

/// The sum for one element of the image over all windows that contain it.
static CK_INLINE void CK_NAME(gather)(
    const ck_pool *s, const unsigned char *places, const float *dy, float *dx, float factor, const int is_max,
    CK_NAME(outputs) rows, long ih, long iw) {
  const CK_NAME(outputs) columns =
      CK_NAME(outputs_of)(iw, s->padding_left, s->kernel_width, s->stride_width, s->out_width);
  vector sum = {};
  for (long oh = rows.first; oh <= rows.last; ++oh)
    for (long ow = columns.first; ow <= columns.last; ++ow) {
      const long at = (oh * s->out_width + ow) * CK_WIDTH;
      const long i = ih + s->padding_top - oh * s->stride_height, j = iw + s->padding_left - ow * s->stride_width;
      const vector d = load(dy + at);
      sum += is_max ? CK_NAME(placed)(d, CK_NAME(places_at)(places + at), i * s->kernel_width + j) : d;
    }
  store(dx + (ih * s->width + iw) * CK_WIDTH, is_max ? sum : sum * splat(factor));
}

/// One row of the image under windows three wide and two apart, of which one row or two contain it: elements come in
/// pairs, the middle of a window, and what it shares with the next.
static CK_INLINE void CK_NAME(gather_row_of_three)(
    const ck_pool *s, const unsigned char *places, const float *dy, float *dx, CK_NAME(outputs) rows, const int count,
    long ih) {
  const float *d[2];
  const unsigned char *p[2];
  long base[2];
  for (int r = 0; r < count; ++r) {
    const long at = (rows.first + r) * s->out_width * CK_WIDTH;
    d[r] = dy + at;
    p[r] = places + at;
    base[r] = (ih + s->padding_top - (rows.first + r) * 2) * 3;
  }
  const long begin = 1 - s->padding_left;
  // Pairs of which both elements are in the image and both windows exist.
  const long first = begin < 0 ? (1 - begin) / 2 : 0;
  long last = (s->width - begin) / 2;
  if (last > s->out_width - 1) last = s->out_width - 1;
  if (last < first) last = first;
  for (long iw = 0; iw < begin + 2 * first && iw < s->width; ++iw)
    CK_NAME(gather)(s, places, dy, dx, 1, 1, rows, ih, iw);
  float *to = dx + (ih * s->width + begin) * CK_WIDTH;
  for (long ow = first; ow < last; ++ow) {
    vector middle = {}, shared = {};
    for (int r = 0; r < count; ++r) {
      const vector left = load(d[r] + ow * CK_WIDTH), right = load(d[r] + (ow + 1) * CK_WIDTH);
      const mask here = CK_NAME(places_at)(p[r] + ow * CK_WIDTH), next = CK_NAME(places_at)(p[r] + (ow + 1) * CK_WIDTH);
      middle += CK_NAME(placed)(left, here, base[r] + 1);
      shared += CK_NAME(placed)(left, here, base[r] + 2);
      shared += CK_NAME(placed)(right, next, base[r]);
    }
    store(to + 2 * ow * CK_WIDTH, middle);
    store(to + (2 * ow + 1) * CK_WIDTH, shared);
  }
  for (long iw = begin + 2 * last; iw < s->width; ++iw)
    if (iw >= 0) CK_NAME(gather)(s, places, dy, dx, 1, 1, rows, ih, iw);
}

/// Windows side by side: every element is in one, so dy goes where it belongs, row by row of the image. The kernel's
/// extents are compile-time constants where they can be.
static CK_INLINE void CK_NAME(spread)(
    const ck_pool *s, const unsigned char *places, const float *dy, float *dx, float factor, const int is_max,
    const long kernel_height, const long kernel_width) {
  for (long oh = 0; oh < s->out_height; ++oh)
    for (long i = 0; i < kernel_height; ++i) {
      float *to = dx + (oh * kernel_height + i) * s->width * CK_WIDTH;
      for (long ow = 0; ow < s->out_width; ++ow) {
        const long at = (oh * s->out_width + ow) * CK_WIDTH;
        const vector d = load(dy + at);
        const mask where = is_max ? CK_NAME(places_at)(places + at) : CK_NAME(all)(0);
        for (long j = 0; j < kernel_width; ++j, to += CK_WIDTH)
          store(to, is_max ? CK_NAME(placed)(d, where, i * kernel_width + j) : d * splat(factor));
      }
    }
}

static CK_INLINE void CK_NAME(gradient_block)(
    const ck_pool *s, const unsigned char *places, const float *dy, float *dx, const int is_max) {
  const float factor = 1.0f / (float)(s->kernel_height * s->kernel_width);
  if (s->stride_height == s->kernel_height && s->stride_width == s->kernel_width && s->padding_top == 0 &&
      s->padding_left == 0 && s->out_height * s->kernel_height == s->height &&
      s->out_width * s->kernel_width == s->width) {
    if (s->kernel_height == 2 && s->kernel_width == 2)
      CK_NAME(spread)(s, places, dy, dx, factor, is_max, 2, 2);
    else
      CK_NAME(spread)(s, places, dy, dx, factor, is_max, s->kernel_height, s->kernel_width);
    return;
  }
  const int of_three = is_max && s->kernel_height == 3 && s->kernel_width == 3 && s->stride_height == 2 &&
                       s->stride_width == 2 && s->padding_left <= 1;
  for (long ih = 0; ih < s->height; ++ih) {
    const CK_NAME(outputs) rows =
        CK_NAME(outputs_of)(ih, s->padding_top, s->kernel_height, s->stride_height, s->out_height);
    if (of_three && rows.last == rows.first)
      CK_NAME(gather_row_of_three)(s, places, dy, dx, rows, 1, ih);
    else if (of_three && rows.last == rows.first + 1)
      CK_NAME(gather_row_of_three)(s, places, dy, dx, rows, 2, ih);
    else
      for (long iw = 0; iw < s->width; ++iw) CK_NAME(gather)(s, places, dy, dx, factor, is_max, rows, ih, iw);
  }
}

static void CK_NAME(max_backward)(void *context, int part) {
  const ck_pool_work *w = context;
  const ck_pool *s = &w->shape;
  const long count = s->batch * ((s->channels + CK_WIDTH - 1) / CK_WIDTH);
  const long area = s->height * s->width * CK_WIDTH, out_area = s->out_height * s->out_width * CK_WIDTH;
  for (long b = part * count / w->parts; b < (part + 1) * count / w->parts; ++b)
    CK_NAME(gradient_block)(s, w->places + b * out_area, w->from + b * out_area, w->to + b * area, 1);
}

static void CK_NAME(average_backward)(void *context, int part) {
  const ck_pool_work *w = context;
  const ck_pool *s = &w->shape;
  const long count = s->batch * ((s->channels + CK_WIDTH - 1) / CK_WIDTH);
  const long area = s->height * s->width * CK_WIDTH, out_area = s->out_height * s->out_width * CK_WIDTH;
  for (long b = part * count / w->parts; b < (part + 1) * count / w->parts; ++b)
    CK_NAME(gradient_block)(s, 0, w->from + b * out_area, w->to + b * area, 0);
}

// MARK: average

/// The sum of a window's rows `i` and columns `j` from p.
static CK_INLINE vector CK_NAME(window_sum)(const float *p, long row, ck_span i, ck_span j) {
  vector sum[4] = {};
  for (long k = i.first; k < i.last; ++k) {
    long l = j.first;
    for (; l + 4 <= j.last; l += 4)
      for (int m = 0; m < 4; ++m) sum[m] += load(p + k * row + (l + m) * CK_WIDTH);
    for (; l < j.last; ++l) sum[l & 1] += load(p + k * row + l * CK_WIDTH);
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void CK_NAME(average_forward)(void *context, int part) {
  const ck_pool_work *w = context;
  const ck_pool *s = &w->shape;
  const long count = s->batch * ((s->channels + CK_WIDTH - 1) / CK_WIDTH);
  const long row = s->width * CK_WIDTH, area = s->height * row, out_area = s->out_height * s->out_width * CK_WIDTH;
  const vector factor = splat(1.0f / (float)(s->kernel_height * s->kernel_width));
  const ck_span two = {0, 2};
  for (long b = part * count / w->parts; b < (part + 1) * count / w->parts; ++b)
    for (long oh = 0; oh < s->out_height; ++oh)
      for (long ow = 0; ow < s->out_width; ++ow) {
        const long top = oh * s->stride_height - s->padding_top, left = ow * s->stride_width - s->padding_left;
        const ck_span i = ck_inside(top, s->kernel_height, s->height), j = ck_inside(left, s->kernel_width, s->width);
        const float *p = w->from + b * area + top * row + left * CK_WIDTH;
        const int is_pair = i.first == 0 && i.last == 2 && j.first == 0 && j.last == 2;
        const vector sum = is_pair ? CK_NAME(window_sum)(p, row, two, two) : CK_NAME(window_sum)(p, row, i, j);
        store(w->to + b * out_area + (oh * s->out_width + ow) * CK_WIDTH, sum * factor);
      }
}

#undef bytes
#undef mask
