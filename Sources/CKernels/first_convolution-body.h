// The loops of first_convolution.c, included once for each instruction set by instruction-sets.h.

/// Copies a row-major image between its margins of zeros; what no window reaches stays away.
static void CK_NAME(pad_image)(const ck_first_convolution *s, const ck_first_work *w, const float *image, float *to) {
  for (long c = 0; c < s->channels; ++c)
    for (long i = 0; i < w->padded_height; ++i) {
      const long row = i - s->padding_top;
      const int is_there = row >= 0 && row < s->height;
      const float *from = image + (c * s->height + row) * s->width - s->padding_left;
      for (long j = 0; j < w->padded_width; ++j)
        *to++ = is_there && j >= s->padding_left && j < s->padding_left + s->width ? from[j] : 0;
    }
}

/// Adds dy × x over rows oh ..< `last` of a result to the sums of `rows` rows of a filter, whose columns lie `column`
/// floats apart in `out`; `vectors` blocks of filters side by side.
static CK_INLINE void CK_NAME(add_rows)(
    const ck_first_convolution *s, const ck_first_work *w, const float *x, const float *dy, long dy_block, long oh,
    long last, float *out, long row, long column, long out_block, const int rows, const int kernel, const int vectors) {
  vector sum[3][5][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < kernel; ++j)
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) sum[i][j][v] = load(out + i * row + j * column + v * out_block);
  const long width = w->padded_width, stride = s->stride;
  for (; oh < last; ++oh) {
    const float *p = x + oh * stride * width, *d = dy + oh * s->out_width * CK_WIDTH;
    for (long ow = 0; ow < s->out_width; ++ow, p += stride, d += CK_WIDTH) {
      const vector a = load(d), b = vectors == 2 ? load(d + dy_block) : a;
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; ++i)
#pragma clang loop unroll(full)
        for (int j = 0; j < kernel; ++j) {
          const vector e = splat(p[i * width + j]);
          sum[i][j][0] = fma(e, a, sum[i][j][0]);
          if (vectors == 2) sum[i][j][1] = fma(e, b, sum[i][j][1]);
        }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < kernel; ++j)
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) store(out + i * row + j * column + v * out_block, sum[i][j][v]);
}

/// As many rows of a filter at once as there are registers for their sums.
#if CK_WIDTH == 16
#define CK_ROWS_OF_3 3
#define CK_ROWS_OF_5 2
#else
#define CK_ROWS_OF_3 2
#define CK_ROWS_OF_5 1
#endif

static CK_INLINE void CK_NAME(add_filter)(
    const ck_first_convolution *s, const ck_first_work *w, const float *x, const float *dy, long dy_block, float *out,
    long out_block, const int together, const int kernel, const int vectors) {
  const long column = s->channels * CK_WIDTH, row = kernel * column, plane = w->padded_height * w->padded_width;
  // What is read again for each row of the filter stays in the first-level cache.
  const long piece = 1 + 8 * 1024 / (s->out_width * CK_WIDTH * 4 * vectors);
  for (long oh = 0; oh < s->out_height; oh += piece) {
    const long last = oh + piece < s->out_height ? oh + piece : s->out_height;
    for (long c = 0; c < s->channels; ++c) {
      long k = 0;
      for (; k + together <= kernel; k += together)
        CK_NAME(add_rows)
        (s, w, x + c * plane + k * w->padded_width, dy, dy_block, oh, last, out + k * row + c * CK_WIDTH, row, column,
         out_block, together, kernel, vectors);
      for (; k < kernel; ++k)
        CK_NAME(add_rows)
        (s, w, x + c * plane + k * w->padded_width, dy, dy_block, oh, last, out + k * row + c * CK_WIDTH, row, column,
         out_block, 1, kernel, vectors);
    }
  }
}

#define CK_ADD(n, vectors)                                                                                        \
  static void CK_NAME(add_##n##_##vectors)(const ck_first_convolution *s, const ck_first_work *w, const float *x, \
                                           const float *dy, long dy_block, float *out, long out_block) {          \
    CK_NAME(add_filter)(s, w, x, dy, dy_block, out, out_block, CK_ROWS_OF_##n, n, vectors);                       \
  }
CK_ADD(3, 1) CK_ADD(3, 2) CK_ADD(5, 1) CK_ADD(5, 2)
#undef CK_ADD

static void CK_NAME(first_weight_gradient)(void *context, int part) {
  const ck_first_work *w = context;
  const ck_first_convolution_job *job = w->job;
  const ck_first_convolution *s = &job->shape;
  const long blocks = (s->filters + CK_WIDTH - 1) / CK_WIDTH, pairs = (blocks + 1) / 2;
  const long first = part * pairs / w->parts * 2, end = (part + 1) * pairs / w->parts * 2;
  const long last = end < blocks ? end : blocks;
  if (first >= last) return;
  const long dy_block = s->out_height * s->out_width * CK_WIDTH;
  const long out_block = (long)s->kernel * s->kernel * s->channels * CK_WIDTH;
  float *x = job->scratch + part * image_floats(s, w);
  for (long i = first * out_block; i < last * out_block; i += CK_WIDTH) store(job->diff_weights + i, splat(0));
  for (long n = 0; n < s->batch; ++n) {
    CK_NAME(pad_image)(s, w, job->source + n * s->channels * s->height * s->width, x);
    for (long block = first; block < last; block += 2) {
      const float *dy = job->diff_result + (n * blocks + block) * dy_block;
      float *out = job->diff_weights + block * out_block;
      const int two = block + 1 < last;
      if (s->kernel == 3)
        (two ? CK_NAME(add_3_2) : CK_NAME(add_3_1))(s, w, x, dy, dy_block, out, out_block);
      else
        (two ? CK_NAME(add_5_2) : CK_NAME(add_5_1))(s, w, x, dy, dy_block, out, out_block);
    }
  }
  if (!job->diff_bias) return;
  for (long block = first; block < last; ++block) {
    vector total = {};
    for (long n = 0; n < s->batch; ++n) {
      vector sum = {};
      const float *dy = job->diff_result + (n * blocks + block) * dy_block;
      for (long at = 0; at < dy_block; at += CK_WIDTH) sum += load(dy + at);
      total += sum;
    }
    for (long k = block * CK_WIDTH; k < s->filters && k < (block + 1) * CK_WIDTH; ++k)
      job->diff_bias[k] = total[k - block * CK_WIDTH];
  }
}

#undef CK_ROWS_OF_3
#undef CK_ROWS_OF_5
