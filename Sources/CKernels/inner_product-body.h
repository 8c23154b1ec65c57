// The loops of inner_product.c, included once for each instruction set by instruction-sets.h.
//
// n counts samples, i inputs and o outputs. A panel is two blocks of outputs, the width of a register tile.

/// Copies a part of row-major numbers to rows that are padded with zeros to `padded` elements and lie `to_stride` words apart.
static void CK_NAME(pack_rows)(
    const ck_element *from, long from_stride, long rows, long count, float *to, long to_stride, long padded) {
  for (long n = 0; n < rows; ++n) {
    ck_element *row = (ck_element *)(to + n * to_stride);
    memcpy(row, from + n * from_stride, (unsigned long)count * sizeof(ck_element));
    memset(row + count, 0, (unsigned long)(padded - count) * sizeof(ck_element));
  }
}

/// The same where the sum goes over the rows, which share words then.
static void CK_NAME(pack_summed_rows)(
    const ck_element *from, long from_stride, long rows, long count, float *to, long to_stride, long padded) {
#if CK_BFLOAT16
  for (long n = 0; n < rows; n += 2) {
    const ck_element *lower = from + n * from_stride, *upper = lower + from_stride;
    unsigned *words = (unsigned *)(to + n / 2 * to_stride);
    if (n + 1 < rows)
      for (long i = 0; i < count; ++i) words[i] = lower[i] | (unsigned)upper[i] << 16;
    else
      for (long i = 0; i < count; ++i) words[i] = lower[i];
    for (long i = count; i < padded; ++i) words[i] = 0;
  }
#else
  CK_NAME(pack_rows)(from, from_stride, rows, count, to, to_stride, padded);
#endif
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

/// The first lanes of a vector, all of them if `count` says more.
static CK_INLINE void CK_NAME(store_some)(ck_element *to, vector v, long count) {
  ck_element all[CK_WIDTH];
  store_element(all, v);
  for (long k = 0; k < count && k < CK_WIDTH; ++k) to[k] = all[k];
}

/// The reverse, into elements: to[r·to_stride + c] = from[c·from_stride + r] for r < rows, c < columns; reads whole vectors.
static void CK_NAME(transpose_out)(
    const float *from, long from_stride, long rows, long columns, ck_element *to, long to_stride) {
  for (long r = 0; r < rows; r += CK_WIDTH)
    for (long c = 0; c < columns; c += CK_WIDTH) {
      vector v[CK_WIDTH];
      for (int k = 0; k < CK_WIDTH; ++k) v[k] = load(from + (c + k) * from_stride + r);
      CK_NAME(transpose)(v);
      if (r + CK_WIDTH <= rows && c + CK_WIDTH <= columns) {
        for (int k = 0; k < CK_WIDTH; ++k) store_element(to + (r + k) * to_stride + c, v[k]);
      } else {
        for (long k = r; k < rows && k < r + CK_WIDTH; ++k)
          CK_NAME(store_some)(to + k * to_stride + c, v[k - r], columns - c);
      }
    }
}

static CK_INLINE int CK_NAME(product_vectors)(const ck_product_work *w, long panel) {
  return 2 * panel + 2 <= w->output_blocks ? 2 : 1;
}

/// Where the weights of a panel's blocks for `count` inputs from i on lie in words, each a lane's factors: as they are, or
/// packed.
static const float *CK_NAME(panel_weights)(
    const ck_product_work *w, long panel, long i, long count, float *packed, ck_register_tile *t) {
  const float *weights = w->weights + (2 * panel * w->padded_inputs + i) * CK_WIDTH;
#if CK_BFLOAT16
  const int vectors = CK_NAME(product_vectors)(w, panel);
  for (int v = 0; v < vectors; ++v)
    for (long k = 0; k < count; k += 2) {
      const float *from = weights + (v * w->padded_inputs + k) * CK_WIDTH;
      store(packed + (k / 2 * vectors + v) * CK_WIDTH, CK_NAME(pair)(load(from), load(from + CK_WIDTH)));
    }
  t->lane_step = vectors * CK_WIDTH;
  t->lane_vector_stride = CK_WIDTH;
  return packed;
#else
  (void)count, (void)packed;
  t->lane_step = CK_WIDTH;
  t->lane_vector_stride = w->padded_inputs * CK_WIDTH;
  return weights;
#endif
}

/// Results of some panels: the sum over the inputs goes chunk by chunk, so that what is multiplied stays in cache.
static void CK_NAME(product_forward)(void *context, int part) {
  const ck_product_work *w = context;
  const long first = part * w->panels / w->parts, last = (part + 1) * w->panels / w->parts;
  float *source = w->own + part * w->own_floats;
  float *sums = source + w->samples * w->chunk_stride;
  float *packed = sums + (w->panels + w->parts - 1) / w->parts * w->samples * 2 * CK_WIDTH;
  for (long i = 0; first < last && i < w->padded_inputs; i += w->chunk) {
    const long count = w->padded_inputs - i < w->chunk ? w->padded_inputs - i : w->chunk;
    const long inputs = w->inputs - i < count ? w->inputs - i : count;
    CK_NAME(pack_rows)(w->source + i, w->inputs, w->samples, inputs, source, w->chunk_stride, count);
    for (long panel = first; panel < last; ++panel) {
      ck_register_tile t = {
          .scalars = source, .row_stride = w->chunk_stride, .step = 1, .count = count / CK_PER_WORD, .blocks = 1,
          .out_row_stride = 2 * CK_WIDTH, .out_vector_stride = CK_WIDTH, .adds = i > 0};
      t.lanes = CK_NAME(panel_weights)(w, panel, i, count, packed, &t);
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
        if (w->float_results)
          for (long k = 0; k < lanes; ++k) w->float_results[n * w->outputs + o + k] = y[k];
        else if (lanes == CK_WIDTH)
          store_element(w->output + n * w->outputs + o, y);
        else
          CK_NAME(store_some)(w->output + n * w->outputs + o, y, lanes);
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
  const long summed = (w->samples + CK_PER_WORD - 1) / CK_PER_WORD;
  float *source = gradient + w->panels * summed * 2 * CK_WIDTH;
  for (long panel = 0; panel < w->panels; ++panel) {
    const long o = panel * 2 * CK_WIDTH, width = CK_NAME(product_vectors)(w, panel) * CK_WIDTH;
    const long outputs = w->outputs - o < width ? w->outputs - o : width;
    CK_NAME(pack_summed_rows)
    (w->diff_result + o, w->outputs, w->samples, outputs, gradient + o * summed, 2 * CK_WIDTH, width);
  }
  for (long i = first; i < last; i += w->chunk) {
    const long count = last - i < w->chunk ? last - i : w->chunk;
    const long inputs = w->inputs - i < count ? w->inputs - i : count;
    CK_NAME(pack_summed_rows)(w->source + i, w->inputs, w->samples, inputs, source, w->chunk_stride, count);
    for (long panel = 0; panel < w->panels; ++panel) {
      const ck_register_tile t = {
          .lanes = gradient + panel * summed * 2 * CK_WIDTH, .lane_step = 2 * CK_WIDTH,
          .lane_vector_stride = CK_WIDTH, .scalars = source, .row_stride = 1, .step = w->chunk_stride,
          .count = summed, .blocks = 1, .out_row_stride = CK_WIDTH,
          .out_vector_stride = w->padded_inputs * CK_WIDTH};
      CK_NAME(multiply_rows)
      (&t, w->weight_gradient + (2 * panel * w->padded_inputs + i) * CK_WIDTH, count, CK_NAME(product_vectors)(w, panel));
    }
  }
}

/// The weights of `count` inputs from i on in some blocks of outputs, an input's of one block side by side in words: as they
/// are, or packed.
static const float *CK_NAME(input_weights)(
    const ck_product_work *w, long i, long count, long block, long blocks, float *packed, ck_register_tile *t) {
  const float *weights = w->weights + (block * w->padded_inputs + i) * CK_WIDTH;
  const long row = CK_WIDTH / CK_PER_WORD;
  t->row_stride = row;
  t->count = row;
#if CK_BFLOAT16
  for (long b = 0; b < blocks; ++b)
    for (long k = 0; k < count; ++k)
      store_element(
          (ck_element *)(packed + (b * count + k) * row), load(weights + (b * w->padded_inputs + k) * CK_WIDTH));
  t->block_jump = (count - 1) * row;
  return packed;
#else
  (void)count, (void)blocks, (void)packed;
  t->block_jump = (w->padded_inputs - 1) * row;
  return weights;
#endif
}

/// The gradient of some inputs of all samples. Lanes are samples here, because a vector of weights belongs to one input:
/// both gradients are transposed on the way.
static void CK_NAME(product_backward_data)(void *context, int part) {
  const ck_product_work *w = context;
  const long first = part * w->input_blocks / w->parts * CK_WIDTH;
  const long last = (part + 1) * w->input_blocks / w->parts * CK_WIDTH;
  if (first == last) return;
  const long sample_blocks = (w->samples + CK_WIDTH - 1) / CK_WIDTH, panels = (sample_blocks + 1) / 2;
  // In words.
  const long outputs = w->output_blocks * CK_WIDTH / CK_PER_WORD;
  float *gradient = w->own + part * w->own_floats;
  float *sums = gradient + panels * outputs * 2 * CK_WIDTH;
  float *packed = sums + panels * w->chunk * 2 * CK_WIDTH;
  for (long panel = 0; panel < panels; ++panel) {
    const long n = panel * 2 * CK_WIDTH, rows = w->samples - n < 2 * CK_WIDTH ? w->samples - n : 2 * CK_WIDTH;
    const ck_element *from = w->diff_result + n * w->outputs;
    float *to = gradient + panel * outputs * 2 * CK_WIDTH;
#if CK_BFLOAT16
    // Whole words first.
    CK_NAME(pack_rows)(from, w->outputs, rows, w->outputs, packed, outputs, outputs * CK_PER_WORD);
    CK_NAME(transpose_in)(packed, outputs, rows, outputs, to, 2 * CK_WIDTH);
#else
    CK_NAME(transpose_in)(from, w->outputs, rows, w->outputs, to, 2 * CK_WIDTH);
#endif
  }
  for (long i = first; i < last; i += w->chunk) {
    const long count = last - i < w->chunk ? last - i : w->chunk;
    for (long block = 0; block < w->output_blocks; block += w->block_chunk) {
      const long blocks = w->output_blocks - block < w->block_chunk ? w->output_blocks - block : w->block_chunk;
      ck_register_tile t = {
          .lane_step = 2 * CK_WIDTH, .lane_vector_stride = CK_WIDTH, .step = 1, .blocks = blocks,
          .out_row_stride = 2 * CK_WIDTH, .out_vector_stride = CK_WIDTH, .adds = block > 0};
      t.scalars = CK_NAME(input_weights)(w, i, count, block, blocks, packed, &t);
      for (long panel = 0; panel < panels; ++panel) {
        t.lanes = gradient + (panel * outputs + block * CK_WIDTH / CK_PER_WORD) * 2 * CK_WIDTH;
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
