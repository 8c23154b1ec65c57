// The loops of batch_norm.c, included once for each instruction set by instruction-sets.h.

/// The channels of block b of a vector over all channels, zeros beyond the last.
static CK_INLINE vector CK_NAME(channel_vector)(const float *values, long channels, long b) {
  if ((b + 1) * CK_WIDTH <= channels) return load(values + b * CK_WIDTH);
  vector v = {};
  for (long k = b * CK_WIDTH; k < channels; ++k) v[k - b * CK_WIDTH] = values[k];
  return v;
}

static CK_INLINE void CK_NAME(put_channel_vector)(float *values, long channels, long b, vector v) {
  for (long k = b * CK_WIDTH; k < channels && k < (b + 1) * CK_WIDTH; ++k) values[k] = v[k - b * CK_WIDTH];
}

/// Where the places of one block of an image begin.
static CK_INLINE long CK_NAME(block_start)(const ck_batch_norm *shape, long blocks, long block, long image) {
  return (image * blocks + block) * shape->area * CK_WIDTH;
}

/// The same in a tensor whose images are `stride` floats apart, or as above where that is 0.
static CK_INLINE long CK_NAME(strided_start)(
    const ck_batch_norm *shape, long blocks, long block, long image, long stride) {
  return image * (stride ? stride : blocks * shape->area * CK_WIDTH) + block * shape->area * CK_WIDTH;
}

/// Adds up `term(k, v)` over an image's places, where v is the vector at a place and k which of four sums it goes to:
/// one sum would wait for itself.
#define CK_OVER_AREA(x, area, term)                                                       \
  do {                                                                                    \
    long at = 0;                                                                          \
    for (; at + 4 <= (area); at += 4) {                                                   \
      term(0, load_element((x) + at * CK_WIDTH));                                         \
      term(1, load_element((x) + (at + 1) * CK_WIDTH));                                           \
      term(2, load_element((x) + (at + 2) * CK_WIDTH));                                           \
      term(3, load_element((x) + (at + 3) * CK_WIDTH));                                           \
    }                                                                                     \
    for (; at < (area); ++at) term(0, load_element((x) + at * CK_WIDTH));                         \
  } while (0)

/// Mean and biased variance of one block of channels.
///
/// Some images' mean and squares about it are found while they are in cache, then merged: Chan, Golub, LeVeque, "Algorithms
/// for computing the sample variance", 1983. So the source comes from memory once, and nothing cancels.
static void CK_NAME(statistics)(const ck_batch_norm *shape, long blocks, const ck_element *source, long stride,
                                long block, vector *mean, vector *variance) {
  double means[CK_WIDTH] = {0}, squares[CK_WIDTH] = {0};
  const long together = images_together(shape);
  for (long image = 0; image < shape->batch; image += together) {
    const long last = image + together < shape->batch ? image + together : shape->batch;
    const double places = (double)((last - image) * shape->area);
    vector sum[4] = {};
#define CK_TERM(k, v) sum[k] += (v)
    for (long i = image; i < last; ++i)
      CK_OVER_AREA(source + CK_NAME(strided_start)(shape, blocks, block, i, stride), shape->area, CK_TERM);
#undef CK_TERM
    const vector own = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)places;
    vector square[4] = {};
#define CK_TERM(k, v)                      \
  do {                                     \
    const vector d = (v) - own;            \
    square[k] = fma(d, d, square[k]);      \
  } while (0)
    for (long i = image; i < last; ++i)
      CK_OVER_AREA(source + CK_NAME(strided_start)(shape, blocks, block, i, stride), shape->area, CK_TERM);
#undef CK_TERM
    const vector own_square = (square[0] + square[1]) + (square[2] + square[3]);
    const double before = (double)(image * shape->area), share = places / (before + places);
    for (int k = 0; k < CK_WIDTH; ++k) {
      const double difference = own[k] - means[k];
      means[k] += difference * share;
      squares[k] += own_square[k] + difference * difference * before * share;
    }
  }
  const double count = (double)shape->batch * (double)shape->area;
  for (int k = 0; k < CK_WIDTH; ++k) {
    (*mean)[k] = (float)means[k];
    (*variance)[k] = (float)(squares[k] / count);
  }
}

/// 1/√(variance + ε).
static CK_INLINE vector CK_NAME(inverse_deviation)(vector variance, float epsilon) {
  vector v;
  for (int k = 0; k < CK_WIDTH; ++k) v[k] = (float)(1.0 / sqrt((double)variance[k] + (double)epsilon));
  return v;
}

/// min(v, limit), and what is not a number stays so.
static CK_INLINE vector CK_NAME(at_most)(vector v, vector limit) {
  const CK_NAME(mask) above = v > limit;
  return (vector)(((CK_NAME(mask))limit & above) | ((CK_NAME(mask))v & ~above));
}

static CK_INLINE void CK_NAME(apply)(
    const ck_element *x, const ck_element *residual, ck_element *y, long area, vector mean, vector factor, vector shift,
    vector ceiling, const int adds, const int relu) {
  for (long i = 0; i < area * CK_WIDTH; i += CK_WIDTH) {
    vector z = fma(load_element(x + i) - mean, factor, shift);
    if (adds) z += load_element(residual + i);
    store_element(y + i, relu ? CK_NAME(at_most)(positive(z), ceiling) : z);
  }
}

static void CK_NAME(norm_forward)(void *context, int part) {
  const ck_norm_work *w = context;
  const ck_batch_norm_forward_job *job = w->forward;
  const ck_batch_norm *shape = &job->shape;
  const long blocks = (shape->channels + CK_WIDTH - 1) / CK_WIDTH;
  const vector ceiling = splat(job->ceiling);
  for (long block = part * blocks / w->parts; block < (part + 1) * blocks / w->parts; ++block) {
    vector mean, variance;
    if (job->given) {
      mean = CK_NAME(channel_vector)(job->mean, shape->channels, block);
      variance = CK_NAME(channel_vector)(job->variance, shape->channels, block);
    } else {
      CK_NAME(statistics)(shape, blocks, job->source, job->source_stride, block, &mean, &variance);
      CK_NAME(put_channel_vector)(job->mean, shape->channels, block, mean);
      CK_NAME(put_channel_vector)(job->variance, shape->channels, block, variance);
    }
    const vector factor = CK_NAME(channel_vector)(job->scale, shape->channels, block) *
                          CK_NAME(inverse_deviation)(variance, shape->epsilon);
    const vector shift = CK_NAME(channel_vector)(job->shift, shape->channels, block);
    for (long image = 0; image < shape->batch; ++image) {
      const long start = CK_NAME(block_start)(shape, blocks, block, image);
      const ck_element *x =
          (const ck_element *)job->source + CK_NAME(strided_start)(shape, blocks, block, image, job->source_stride);
      const ck_element *residual = job->residual ? (const ck_element *)job->residual + start : 0;
      ck_element *y = (ck_element *)job->result + start;
      if (job->residual && job->relu)
        CK_NAME(apply)(x, residual, y, shape->area, mean, factor, shift, ceiling, 1, 1);
      else if (job->residual)
        CK_NAME(apply)(x, residual, y, shape->area, mean, factor, shift, ceiling, 1, 0);
      else if (job->relu)
        CK_NAME(apply)(x, 0, y, shape->area, mean, factor, shift, ceiling, 0, 1);
      else
        CK_NAME(apply)(x, 0, y, shape->area, mean, factor, shift, ceiling, 0, 0);
    }
  }
}

/// dy where the ReLU's input, or its result, is between 0 and the ceiling, else 0.
static CK_INLINE vector CK_NAME(where_open)(vector tells, vector ceiling, vector dy) {
  return (vector)((CK_NAME(mask))dy & (CK_NAME(mask))(tells > (vector){}) & (CK_NAME(mask))(tells < ceiling));
}

/// Sums of dz and of dz·(x − mean) over some images; writes dz where `diff_residual` says.
static CK_INLINE void CK_NAME(gradient_sums)(
    const ck_batch_norm_backward_job *job, long blocks, long block, long first, long last, vector mean, vector factor,
    vector shift, vector ceiling, double *sums, double *products, const int masking) {
  vector sum[4] = {}, product[4] = {};
  for (long image = first; image < last; ++image) {
    const long start = CK_NAME(block_start)(&job->shape, blocks, block, image);
    const ck_element *x = (const ck_element *)job->source +
                          CK_NAME(strided_start)(&job->shape, blocks, block, image, job->source_stride);
    const ck_element *dy = (const ck_element *)job->diff_result + start;
    const ck_element *y = masking == CK_BY_RESULT ? (const ck_element *)job->result + start : 0;
    ck_element *diff_residual = masking == CK_BY_RESULT ? (ck_element *)job->diff_residual + start : 0;
#define CK_TERM(k, v)                                                                                      \
  do {                                                                                                     \
    const long place = (at + k) * CK_WIDTH;                                                                \
    const vector d = (v) - mean;                                                                           \
    vector dz = load_element(dy + place);                                                                  \
    if (masking == CK_BY_RESULT) dz = CK_NAME(where_open)(load_element(y + place), ceiling, dz);           \
    if (masking == CK_BY_SOURCE) dz = CK_NAME(where_open)(fma(d, factor, shift), ceiling, dz);             \
    if (masking == CK_BY_RESULT) store_element(diff_residual + place, dz);                                 \
    sum[k] += dz;                                                                                          \
    product[k] = fma(dz, d, product[k]);                                                                   \
  } while (0)
    CK_OVER_AREA(x, job->shape.area, CK_TERM);
#undef CK_TERM
  }
  const vector s = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  const vector p = (product[0] + product[1]) + (product[2] + product[3]);
  for (int k = 0; k < CK_WIDTH; ++k) {
    sums[k] += s[k];
    products[k] += p[k];
  }
}

static CK_INLINE void CK_NAME(source_gradient)(
    const ck_element *x, const ck_element *dy, const ck_element *earlier, ck_element *dx, long area, vector mean,
    vector factor, vector shift, vector slope, vector offset, vector ceiling, const int masking) {
  for (long i = 0; i < area * CK_WIDTH; i += CK_WIDTH) {
    const vector d = load_element(x + i) - mean;
    vector dz = load_element(dy + i);
    if (masking == CK_BY_SOURCE) dz = CK_NAME(where_open)(fma(d, factor, shift), ceiling, dz);
    const vector own = fma(dz, factor, fma(d, slope, offset));
    store_element(dx + i, earlier ? load_element(earlier + i) + own : own);
  }
}

static void CK_NAME(norm_backward)(void *context, int part) {
  const ck_norm_work *w = context;
  const ck_batch_norm_backward_job *job = w->backward;
  const ck_batch_norm *shape = &job->shape;
  const long blocks = (shape->channels + CK_WIDTH - 1) / CK_WIDTH;
  const double count = (double)shape->batch * (double)shape->area;
  const vector ceiling = splat(job->ceiling);
  for (long block = part * blocks / w->parts; block < (part + 1) * blocks / w->parts; ++block) {
    const vector mean = CK_NAME(channel_vector)(job->mean, shape->channels, block);
    const vector variance = CK_NAME(channel_vector)(job->variance, shape->channels, block);
    const vector inverse = CK_NAME(inverse_deviation)(variance, shape->epsilon);
    const vector factor = CK_NAME(channel_vector)(job->scale, shape->channels, block) * inverse;
    const vector shift = CK_NAME(channel_vector)(job->shift, shape->channels, block);
    double sums[CK_WIDTH] = {0}, products[CK_WIDTH] = {0};
    const long together = images_together(shape);
    for (long image = 0; image < shape->batch; image += together) {
      const long last = image + together < shape->batch ? image + together : shape->batch;
      if (job->diff_residual && job->relu)
        CK_NAME(gradient_sums)
        (job, blocks, block, image, last, mean, factor, shift, ceiling, sums, products, CK_BY_RESULT);
      else if (job->relu)
        CK_NAME(gradient_sums)
        (job, blocks, block, image, last, mean, factor, shift, ceiling, sums, products, CK_BY_SOURCE);
      else
        CK_NAME(gradient_sums)
        (job, blocks, block, image, last, mean, factor, shift, ceiling, sums, products, CK_UNMASKED);
    }
    vector diff_scale, diff_shift, slope, offset;
    for (int k = 0; k < CK_WIDTH; ++k) {
      diff_shift[k] = (float)sums[k];
      diff_scale[k] = (float)(products[k] * inverse[k]);
      offset[k] = (float)(-factor[k] * sums[k] / count);
      slope[k] = (float)(-factor[k] * ((double)inverse[k] * inverse[k]) * products[k] / count);
    }
    CK_NAME(put_channel_vector)(job->diff_scale, shape->channels, block, diff_scale);
    CK_NAME(put_channel_vector)(job->diff_shift, shape->channels, block, diff_shift);
    // What pads the last block keeps its zeros: there factor, sums and so slope and offset are zero.
    for (long image = 0; image < shape->batch; ++image) {
      const long start = CK_NAME(block_start)(shape, blocks, block, image);
      const ck_element *x =
          (const ck_element *)job->source + CK_NAME(strided_start)(shape, blocks, block, image, job->source_stride);
      const ck_element *dy =
          (const ck_element *)(job->diff_residual ? job->diff_residual : job->diff_result) + start;
      const ck_element *earlier = job->earlier ? (const ck_element *)job->earlier + CK_NAME(strided_start)(
                                                     shape, blocks, block, image, job->earlier_stride)
                                               : 0;
      ck_element *dx = (ck_element *)job->diff_source +
                       CK_NAME(strided_start)(shape, blocks, block, image, job->diff_source_stride);
      if (job->diff_residual)
        CK_NAME(source_gradient)
        (x, dy, earlier, dx, shape->area, mean, factor, shift, slope, offset, ceiling, CK_UNMASKED);
      else if (job->relu)
        CK_NAME(source_gradient)
        (x, dy, earlier, dx, shape->area, mean, factor, shift, slope, offset, ceiling, CK_BY_SOURCE);
      else
        CK_NAME(source_gradient)
        (x, dy, earlier, dx, shape->area, mean, factor, shift, slope, offset, ceiling, CK_UNMASKED);
    }
  }
}

#undef CK_OVER_AREA
