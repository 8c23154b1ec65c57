// The loops of inner_product.c, included once for each instruction set by instruction-sets.h.
//
// n counts samples, i inputs and o outputs. A panel is two blocks of outputs, the width of a register tile.

/// Copies a part of row-major numbers to rows that are padded with zeros to `padded` floats and lie `to_stride` apart.
static void CK_NAME(pack_rows)(
    const float *from, long from_stride, long rows, long count, float *to, long to_stride, long padded) {
  for (long n = 0; n < rows; ++n) {
    memcpy(to + n * to_stride, from + n * from_stride, (unsigned long)count * sizeof(float));
    for (long i = count; i < padded; ++i) to[n * to_stride + i] = 0;
  }
}

/// Transposes a part of rows × columns: to[c·to_stride + r] = from[r·from_stride + c], and zeros for what is beyond it up
/// to whole vectors.
static void CK_NAME(transpose_in)(
    const float *from, long from_stride, long rows, long columns, float *to, long to_stride) {
  for (long r = 0; r < rows; r += CK_WIDTH)
    for (long c = 0; c < columns; c += CK_WIDTH) {
      vector v[CK_WIDTH] = {};
      if (r + CK_WIDTH <= rows && c + CK_WIDTH <= columns) {
        for (int k = 0; k < CK_WIDTH; ++k) v[k] = load(from + (r + k) * from_stride + c);
      } else {
        for (long k = r; k < rows && k < r + CK_WIDTH; ++k)
          for (long l = c; l < columns && l < c + CK_WIDTH; ++l) v[k - r][l - c] = from[k * from_stride + l];
      }
      CK_NAME(transpose)(v);
      for (int k = 0; k < CK_WIDTH; ++k) store(to + (c + k) * to_stride + r, v[k]);
    }
}

/// The reverse: to[r·to_stride + c] = from[c·from_stride + r] for r < rows, c < columns; reads whole vectors.
static void CK_NAME(transpose_out)(
    const float *from, long from_stride, long rows, long columns, float *to, long to_stride) {
  for (long r = 0; r < rows; r += CK_WIDTH)
    for (long c = 0; c < columns; c += CK_WIDTH) {
      vector v[CK_WIDTH];
      for (int k = 0; k < CK_WIDTH; ++k) v[k] = load(from + (c + k) * from_stride + r);
      CK_NAME(transpose)(v);
      if (r + CK_WIDTH <= rows && c + CK_WIDTH <= columns) {
        for (int k = 0; k < CK_WIDTH; ++k) store(to + (r + k) * to_stride + c, v[k]);
      } else {
        for (long k = r; k < rows && k < r + CK_WIDTH; ++k)
          for (long l = c; l < columns && l < c + CK_WIDTH; ++l) to[k * to_stride + l] = v[k - r][l - c];
      }
    }
}

static CK_INLINE int CK_NAME(product_vectors)(const ck_product_work *w, long panel) {
  return 2 * panel + 2 <= w->output_blocks ? 2 : 1;
}

/// Results of some panels: the sum over the inputs goes chunk by chunk, so that what is multiplied stays in cache.
static void CK_NAME(product_forward)(void *context, int part) {
  const ck_product_work *w = context;
  const long first = part * w->panels / w->parts, last = (part + 1) * w->panels / w->parts;
  float *source = w->own + part * w->own_floats;
  float *sums = source + w->samples * w->chunk_stride;
  for (long i = 0; first < last && i < w->padded_inputs; i += w->chunk) {
    const long count = w->padded_inputs - i < w->chunk ? w->padded_inputs - i : w->chunk;
    const long inputs = w->inputs - i < count ? w->inputs - i : count;
    CK_NAME(pack_rows)(w->source + i, w->inputs, w->samples, inputs, source, w->chunk_stride, count);
    for (long panel = first; panel < last; ++panel) {
      const ck_register_tile t = {
          .lanes = w->weights + (2 * panel * w->padded_inputs + i) * CK_WIDTH, .lane_step = CK_WIDTH,
          .lane_vector_stride = w->padded_inputs * CK_WIDTH, .scalars = source, .row_stride = w->chunk_stride, .step = 1,
          .count = count, .blocks = 1, .out_row_stride = 2 * CK_WIDTH, .out_vector_stride = CK_WIDTH, .adds = i > 0};
      CK_NAME(multiply_rows)
      (&t, sums + (panel - first) * w->samples * 2 * CK_WIDTH, w->samples, CK_NAME(product_vectors)(w, panel));
    }
  }
  for (long panel = first; panel < last; ++panel)
    for (int v = 0; v < CK_NAME(product_vectors)(w, panel); ++v) {
      const long o = (2 * panel + v) * CK_WIDTH;
      const long lanes = w->outputs - o < CK_WIDTH ? w->outputs - o : CK_WIDTH;
      vector bias = {};
      for (long k = 0; w->bias && k < lanes; ++k) bias[k] = w->bias[o + k];
      const float *from = sums + (panel - first) * w->samples * 2 * CK_WIDTH + v * CK_WIDTH;
      for (long n = 0; n < w->samples; ++n) {
        vector y = load(from + n * 2 * CK_WIDTH) + bias;
        if (w->relu) y = positive(y);
        float *to = w->output + n * w->outputs + o;
        if (lanes == CK_WIDTH)
          store(to, y);
        else
          for (long k = 0; k < lanes; ++k) to[k] = y[k];
      }
    }
}

/// The gradient of the weights of some inputs.
static void CK_NAME(product_weight_gradient)(void *context, int part) {
  const ck_product_work *w = context;
  const long first = part * w->input_blocks / w->parts * CK_WIDTH;
  const long last = (part + 1) * w->input_blocks / w->parts * CK_WIDTH;
  if (first == last) return;
  float *gradient = w->own + part * w->own_floats;
  float *source = gradient + w->panels * w->samples * 2 * CK_WIDTH;
  for (long panel = 0; panel < w->panels; ++panel) {
    const long o = panel * 2 * CK_WIDTH, width = CK_NAME(product_vectors)(w, panel) * CK_WIDTH;
    const long outputs = w->outputs - o < width ? w->outputs - o : width;
    CK_NAME(pack_rows)
    (w->diff_result + o, w->outputs, w->samples, outputs, gradient + o * w->samples, 2 * CK_WIDTH, width);
  }
  for (long i = first; i < last; i += w->chunk) {
    const long count = last - i < w->chunk ? last - i : w->chunk;
    const long inputs = w->inputs - i < count ? w->inputs - i : count;
    CK_NAME(pack_rows)(w->source + i, w->inputs, w->samples, inputs, source, w->chunk_stride, count);
    for (long panel = 0; panel < w->panels; ++panel) {
      const ck_register_tile t = {
          .lanes = gradient + panel * w->samples * 2 * CK_WIDTH, .lane_step = 2 * CK_WIDTH,
          .lane_vector_stride = CK_WIDTH, .scalars = source, .row_stride = 1, .step = w->chunk_stride,
          .count = w->samples, .blocks = 1, .out_row_stride = CK_WIDTH,
          .out_vector_stride = w->padded_inputs * CK_WIDTH};
      CK_NAME(multiply_rows)
      (&t, w->output + (2 * panel * w->padded_inputs + i) * CK_WIDTH, count, CK_NAME(product_vectors)(w, panel));
    }
  }
}

/// The gradient of some inputs of all samples. Lanes are samples here, because a vector of weights belongs to one input:
/// both gradients are transposed on the way.
static void CK_NAME(product_backward_data)(void *context, int part) {
  const ck_product_work *w = context;
  const long first = part * w->input_blocks / w->parts * CK_WIDTH;
  const long last = (part + 1) * w->input_blocks / w->parts * CK_WIDTH;
  if (first == last) return;
  const long sample_blocks = (w->samples + CK_WIDTH - 1) / CK_WIDTH, panels = (sample_blocks + 1) / 2;
  const long padded_outputs = w->output_blocks * CK_WIDTH;
  float *gradient = w->own + part * w->own_floats;
  float *sums = gradient + panels * padded_outputs * 2 * CK_WIDTH;
  for (long panel = 0; panel < panels; ++panel) {
    const long n = panel * 2 * CK_WIDTH, rows = w->samples - n < 2 * CK_WIDTH ? w->samples - n : 2 * CK_WIDTH;
    CK_NAME(transpose_in)
    (w->diff_result + n * w->outputs, w->outputs, rows, w->outputs, gradient + panel * padded_outputs * 2 * CK_WIDTH,
     2 * CK_WIDTH);
  }
  for (long i = first; i < last; i += w->chunk) {
    const long count = last - i < w->chunk ? last - i : w->chunk;
    for (long block = 0; block < w->output_blocks; block += w->block_chunk) {
      const long blocks = w->output_blocks - block < w->block_chunk ? w->output_blocks - block : w->block_chunk;
      for (long panel = 0; panel < panels; ++panel) {
        const ck_register_tile t = {
            .lanes = gradient + (panel * padded_outputs + block * CK_WIDTH) * 2 * CK_WIDTH, .lane_step = 2 * CK_WIDTH,
            .lane_vector_stride = CK_WIDTH, .scalars = w->weights + (block * w->padded_inputs + i) * CK_WIDTH,
            .row_stride = CK_WIDTH, .step = 1, .count = CK_WIDTH, .blocks = blocks,
            .block_jump = (w->padded_inputs - 1) * CK_WIDTH, .out_row_stride = 2 * CK_WIDTH,
            .out_vector_stride = CK_WIDTH, .adds = block > 0};
        CK_NAME(multiply_rows)
        (&t, sums + panel * w->chunk * 2 * CK_WIDTH, count, 2 * panel + 2 <= sample_blocks ? 2 : 1);
      }
    }
    const long inputs = w->inputs - i < count ? w->inputs - i : count;
    for (long panel = 0; panel < panels; ++panel) {
      const long n = panel * 2 * CK_WIDTH, rows = w->samples - n < 2 * CK_WIDTH ? w->samples - n : 2 * CK_WIDTH;
      CK_NAME(transpose_out)
      (sums + panel * w->chunk * 2 * CK_WIDTH, 2 * CK_WIDTH, rows, inputs, w->output + n * w->inputs + i, w->inputs);
    }
  }
}
