// The loops of depthwise.c, included once for each instruction set by instruction-sets.h.

// MARK: lines

/// What a line of results is made of: rows of an image, each with a row of the filter. Result t takes elements `first`
/// + t·step and the next ones, as many as the filter has taps.
typedef struct {
  const float *rows[5], *filters[5];
  int count;
  /// Elements of an image's row, and the first that result 0 takes.
  long width, first;
  float *out;
  long out_step;
  vector start;
  int relu;
} CK_NAME(line);

/// Results t ..< t + `count` of a line. Unless `inside`, some elements lie beside the image and are zeros. The bits of
/// a result do not depend on how many there are.
static CK_INLINE void CK_NAME(line_tile)(
    const CK_NAME(line) *l, long t, const int count, const int taps, const int step, const int inside) {
  vector sum[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < count; ++i) sum[i] = l->start;
  const long left = l->first + t * step;
  for (int r = 0; r < l->count; ++r) {
    const float *x = l->rows[r] + left * CK_WIDTH;
    vector w[5];
#pragma clang loop unroll(full)
    for (int k = 0; k < taps; ++k) w[k] = load(l->filters[r] + k * CK_WIDTH);
#pragma clang loop unroll(full)
    for (int j = 0; j < (count - 1) * step + taps; ++j) {
      const int is_there = inside || (unsigned long)(left + j) < (unsigned long)l->width;
      const vector v = load(is_there ? x + j * CK_WIDTH : zeros);
#pragma clang loop unroll(full)
      for (int k = 0; k < taps; ++k)
        if (j >= k && (j - k) % step == 0 && (j - k) / step < count)
          sum[(j - k) / step] = fma(v, w[k], sum[(j - k) / step]);
    }
  }
  float *out = l->out + t * l->out_step;
#pragma clang loop unroll(full)
  for (int i = 0; i < count; ++i) store(out + i * l->out_step, l->relu ? positive(sum[i]) : sum[i]);
}

/// All results of a line.
static CK_INLINE void CK_NAME(fill_line)(const CK_NAME(line) *l, long count, const int taps, const int step) {
  const long inside_from = l->first < 0 ? (-l->first + step - 1) / step : 0;
  const long room = l->width - taps - l->first, inside_to = room < 0 ? 0 : room / step + 1;
  long t = 0;
#define CK_TILE(n)                                                           \
  do {                                                                       \
    if (t >= inside_from && t + (n) <= inside_to)                            \
      CK_NAME(line_tile)(l, t, n, taps, step, 1);                            \
    else                                                                     \
      CK_NAME(line_tile)(l, t, n, taps, step, 0);                            \
    t += (n);                                                                \
  } while (0)
  while (t + 8 <= count) CK_TILE(8);
  if (t + 4 <= count) CK_TILE(4);
  if (t + 2 <= count) CK_TILE(2);
  if (t < count) CK_TILE(1);
#undef CK_TILE
}

#define CK_FILL(taps, step)                                                       \
  static void CK_NAME(fill_##taps##_##step)(const CK_NAME(line) *l, long count) { \
    CK_NAME(fill_line)(l, count, taps, step);                                     \
  }
CK_FILL(1, 1) CK_FILL(2, 1) CK_FILL(3, 1) CK_FILL(5, 1) CK_FILL(3, 2) CK_FILL(5, 2)
#undef CK_FILL

static void CK_NAME(fill)(const CK_NAME(line) *l, long count, int taps, int step) {
  if (step == 2)
    (taps == 3 ? CK_NAME(fill_3_2) : CK_NAME(fill_5_2))(l, count);
  else
    (taps == 1 ? CK_NAME(fill_1_1) : taps == 2 ? CK_NAME(fill_2_1) : taps == 3 ? CK_NAME(fill_3_1) : CK_NAME(fill_5_1))
    (l, count);
}

// MARK: results and gradients of the source

/// One block of an image, correlated with `weights` [kernel, kernel, block]: the result, or with stride 1 and the
/// filter turned the gradient of the source.
static void CK_NAME(correlate)(
    const float *x, long height, long width, const float *weights, float *y, long out_height, long out_width, long top,
    long left, const vector *start, int relu, int kernel, int stride) {
  CK_NAME(line) l = {.width = width, .first = -left, .out_step = CK_WIDTH, .start = *start, .relu = relu};
  for (long oh = 0; oh < out_height; ++oh) {
    const long row = oh * stride - top;
    const ck_span taps = ck_inside(row, kernel, height);
    l.count = 0;
    for (long k = taps.first; k < taps.last; ++k, ++l.count) {
      l.rows[l.count] = x + (row + k) * width * CK_WIDTH;
      l.filters[l.count] = weights + k * kernel * CK_WIDTH;
    }
    l.out = y + oh * out_width * CK_WIDTH;
    CK_NAME(fill)(&l, out_width, kernel, stride);
  }
}

static void CK_NAME(depthwise_forward)(void *context, int part) {
  const ck_depthwise_work *w = context;
  const ck_depthwise_job *job = w->job;
  const ck_depthwise *s = &job->shape;
  const long blocks = (s->channels + CK_WIDTH - 1) / CK_WIDTH, count = s->batch * blocks;
  for (long b = part * count / w->parts; b < (part + 1) * count / w->parts; ++b) {
    const long block = b % blocks;
    const float *x = job->source + b * s->height * s->width * CK_WIDTH;
    const float *weights = job->weights + block * s->kernel * s->kernel * CK_WIDTH;
    float *y = job->output + b * s->out_height * s->out_width * CK_WIDTH;
    vector start = {};
    for (long k = block * CK_WIDTH; job->bias && k < s->channels && k < (block + 1) * CK_WIDTH; ++k)
      start[k - block * CK_WIDTH] = job->bias[k];
    CK_NAME(correlate)
    (x, s->height, s->width, weights, y, s->out_height, s->out_width, s->padding_top, s->padding_left, &start,
     job->relu, s->kernel, s->stride);
  }
}

/// Every other element of the gradient's row, from `phase`, under stride 2: those that see the filter's columns of one
/// parity. `filters` has them in descending order, a row of three vectors for each row of the filter.
static void CK_NAME(fill_phase)(
    const ck_depthwise *s, CK_NAME(line) *l, const float *filters, const float *dy, float *dx, long ih, long phase) {
  const long parity = (phase + s->padding_left) % 2, taps = (s->kernel - parity + 1) / 2;
  l->count = 0;
  // By ascending rows of dy.
  for (long k = s->kernel - 1; k >= 0; --k) {
    const long at = ih + s->padding_top - k;
    if (at % 2 != 0 || at < 0 || at / 2 >= s->out_height) continue;
    l->rows[l->count] = dy + at / 2 * s->out_width * CK_WIDTH;
    l->filters[l->count++] = filters + k * 3 * CK_WIDTH;
  }
  l->first = (phase + s->padding_left - parity) / 2 - (taps - 1);
  l->out = dx + (ih * s->width + phase) * CK_WIDTH;
  CK_NAME(fill)(l, (s->width - phase + 1) / 2, (int)taps, 1);
}

static void CK_NAME(depthwise_backward_data)(void *context, int part) {
  const ck_depthwise_work *w = context;
  const ck_depthwise_job *job = w->job;
  const ck_depthwise *s = &job->shape;
  const int kernel = s->kernel, places = kernel * kernel;
  const long blocks = (s->channels + CK_WIDTH - 1) / CK_WIDTH, count = s->batch * blocks;
  for (long b = part * count / w->parts; b < (part + 1) * count / w->parts; ++b) {
    const float *weights = job->weights + b % blocks * places * CK_WIDTH;
    const float *dy = job->diff_result + b * s->out_height * s->out_width * CK_WIDTH;
    float *dx = job->output + b * s->height * s->width * CK_WIDTH;
    const vector zero = {};
    // The filter turned, or its columns of one parity after those of the other.
    vector __attribute__((aligned(64))) turned[2 * 5 * 3];
    if (s->stride == 1) {
      for (int i = 0; i < places; ++i) turned[i] = load(weights + (places - 1 - i) * CK_WIDTH);
      const long top = kernel - 1 - s->padding_top, left = kernel - 1 - s->padding_left;
      CK_NAME(correlate)
      (dy, s->out_height, s->out_width, (const float *)turned, dx, s->height, s->width, top, left, &zero, 0, kernel, 1);
      continue;
    }
    for (int parity = 0; parity < 2; ++parity)
      for (int i = 0; i < kernel; ++i) {
        const int taps = (kernel - parity + 1) / 2;
        for (int j = 0; j < taps; ++j)
          turned[(parity * kernel + i) * 3 + j] = load(weights + (i * kernel + parity + 2 * (taps - 1 - j)) * CK_WIDTH);
      }
    CK_NAME(line) l = {.width = s->out_width, .out_step = 2 * CK_WIDTH, .start = zero};
    for (long ih = 0; ih < s->height; ++ih)
      for (long phase = 0; phase < 2 && phase < s->width; ++phase) {
        const long parity = (phase + s->padding_left) % 2;
        CK_NAME(fill_phase)(s, &l, (const float *)(turned + parity * kernel * 3), dy, dx, ih, phase);
      }
  }
}

// MARK: gradients of the weights

/// Adds dy × x over columns first ..< last of a row of dy to sums of `count` rows of the filter.
static CK_INLINE void CK_NAME(add_products)(
    const float *const *rows, const float *dy, long first, long last, long left, long width, vector sums[][5],
    const int count, const int kernel, const int stride, const int inside) {
  for (long ow = first; ow < last; ++ow) {
    const vector d = load(dy + ow * CK_WIDTH);
    const long column = ow * stride - left;
#pragma clang loop unroll(full)
    for (int i = 0; i < count; ++i)
#pragma clang loop unroll(full)
      for (int j = 0; j < kernel; ++j) {
        const int is_there = inside || (unsigned long)(column + j) < (unsigned long)width;
        sums[i][j] = fma(load(is_there ? rows[i] + (column + j) * CK_WIDTH : zeros), d, sums[i][j]);
      }
  }
}

/// The gradient of `count` rows of a block's filter from row `k`. Sums start anew after some images, to stay short.
static CK_INLINE void CK_NAME(filter_rows)(
    const ck_depthwise_job *job, long block, long k, const float *empty_row, const int count, const int kernel,
    const int stride) {
  const ck_depthwise *s = &job->shape;
  const long blocks = (s->channels + CK_WIDTH - 1) / CK_WIDTH;
  const long area = s->height * s->width * CK_WIDTH, out_row = s->out_width * CK_WIDTH;
  const long out_area = s->out_height * s->out_width;
  const long together = out_area >= 64 ? 1 : (64 + out_area - 1) / out_area;
  const long from = (s->padding_left + stride - 1) / stride;
  const long room = s->width - kernel + s->padding_left;
  long to = room < 0 ? 0 : room / stride + 1;
  if (to > s->out_width) to = s->out_width;
  const long first = from < to ? from : to;
  vector totals[5][5] = {};
  for (long image = 0; image < s->batch; image += together) {
    vector sums[5][5];
    for (int i = 0; i < count; ++i)
      for (int j = 0; j < kernel; ++j) sums[i][j] = splat(0);
    for (long n = image; n < image + together && n < s->batch; ++n) {
      const float *x = job->source + (n * blocks + block) * area;
      const float *dy = job->diff_result + (n * blocks + block) * s->out_height * out_row;
      for (long oh = 0; oh < s->out_height; ++oh, dy += out_row) {
        const float *rows[5];
#pragma clang loop unroll(full)
        for (int i = 0; i < count; ++i) {
          const long row = oh * stride - s->padding_top + k + i;
          rows[i] = (unsigned long)row < (unsigned long)s->height ? x + row * s->width * CK_WIDTH : empty_row;
        }
        CK_NAME(add_products)(rows, dy, 0, first, s->padding_left, s->width, sums, count, kernel, stride, 0);
        CK_NAME(add_products)(rows, dy, first, to, s->padding_left, s->width, sums, count, kernel, stride, 1);
        CK_NAME(add_products)(rows, dy, to, s->out_width, s->padding_left, s->width, sums, count, kernel, stride, 0);
      }
    }
    for (int i = 0; i < count; ++i)
      for (int j = 0; j < kernel; ++j) totals[i][j] += sums[i][j];
  }
  float *out = job->output + (block * kernel + k) * kernel * CK_WIDTH;
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < kernel; ++j) store(out + (i * kernel + j) * CK_WIDTH, totals[i][j]);
}

static void CK_NAME(depthwise_bias_gradient)(const ck_depthwise_job *job, long block) {
  const ck_depthwise *s = &job->shape;
  const long blocks = (s->channels + CK_WIDTH - 1) / CK_WIDTH, area = s->out_height * s->out_width;
  vector total = {};
  for (long n = 0; n < s->batch; ++n) {
    vector sum = {};
    const float *dy = job->diff_result + (n * blocks + block) * area * CK_WIDTH;
    for (long at = 0; at < area; ++at) sum += load(dy + at * CK_WIDTH);
    total += sum;
  }
  for (long k = block * CK_WIDTH; k < s->channels && k < (block + 1) * CK_WIDTH; ++k)
    job->diff_bias[k] = total[k - block * CK_WIDTH];
}

static void CK_NAME(depthwise_weight_gradient)(void *context, int part) {
  const ck_depthwise_work *w = context;
  const ck_depthwise_job *job = w->job;
  const ck_depthwise *s = &job->shape;
  const long blocks = (s->channels + CK_WIDTH - 1) / CK_WIDTH;
  float *empty_row = job->scratch + part * s->width * CK_WIDTH;
  for (long i = 0; i < s->width * CK_WIDTH; ++i) empty_row[i] = 0;
  for (long block = part * blocks / w->parts; block < (part + 1) * blocks / w->parts; ++block) {
    // As many rows of the filter at once as there are registers for their sums.
    if (s->kernel == 3 && s->stride == 1) CK_NAME(filter_rows)(job, block, 0, empty_row, 3, 3, 1);
    if (s->kernel == 3 && s->stride == 2) CK_NAME(filter_rows)(job, block, 0, empty_row, 3, 3, 2);
    if (s->kernel == 5) {
#if CK_WIDTH == 16
      if (s->stride == 1) CK_NAME(filter_rows)(job, block, 0, empty_row, 5, 5, 1);
      if (s->stride == 2) CK_NAME(filter_rows)(job, block, 0, empty_row, 5, 5, 2);
#else
      for (long k = 0; k < 4; k += 2) {
        if (s->stride == 1) CK_NAME(filter_rows)(job, block, k, empty_row, 2, 5, 1);
        if (s->stride == 2) CK_NAME(filter_rows)(job, block, k, empty_row, 2, 5, 2);
      }
      if (s->stride == 1) CK_NAME(filter_rows)(job, block, 4, empty_row, 1, 5, 1);
      if (s->stride == 2) CK_NAME(filter_rows)(job, block, 4, empty_row, 1, 5, 2);
#endif
    }
    if (job->diff_bias) CK_NAME(depthwise_bias_gradient)(job, block);
  }
}
