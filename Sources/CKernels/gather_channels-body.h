// The loops of gather_channels.c, included once for each instruction set by instruction-sets.h.

/// What one block of a source gives to one block of the result.
typedef struct {
  /// The block's first image, and from there to the next image.
  const ck_element *start;
  long stride;
  /// The source's lane of each lane of the result, and whether that lane comes from here.
  CK_NAME(mask) lanes, taken;
} CK_NAME(gather_term);

static CK_INLINE vector CK_NAME(permuted)(vector v, CK_NAME(mask) lanes) {
#if CK_WIDTH == 16
  return (vector)_mm512_permutexvar_ps((__m512i)lanes, (__m512)v);
#elif CK_FUSED
  return (vector)_mm256_permutevar8x32_ps((__m256)v, (__m256i)lanes);
#else
  vector r;
  for (int k = 0; k < CK_WIDTH; ++k) r[k] = v[lanes[k]];
  return r;
#endif
}

static CK_INLINE void CK_NAME(gather_block)(
    const CK_NAME(gather_term) *terms, const int count, long image, long area, ck_element *y) {
  const ck_element *x[CK_WIDTH];
  for (int t = 0; t < count; ++t) x[t] = terms[t].start + image * terms[t].stride;
  for (long i = 0; i < area * CK_WIDTH; i += CK_WIDTH) {
    CK_NAME(mask) sum = {};
    for (int t = 0; t < count; ++t)
      sum |= (CK_NAME(mask))CK_NAME(permuted)(load_element(x[t] + i), terms[t].lanes) & terms[t].taken;
    store_element(y + i, (vector)sum);
  }
}

/// What makes up the result's block, block by block of the sources.
static int CK_NAME(gather_terms)(const ck_gather_channels_job *job, long block, CK_NAME(gather_term) *terms) {
  const ck_element *starts[CK_WIDTH];
  int count = 0;
  for (int k = 0; k < CK_WIDTH; ++k) {
    const long channel = block * CK_WIDTH + k;
    int from = channel < job->channel_count ? job->channels[channel] : -1;
    if (from < 0) continue;
    int source = 0;
    for (; from >= job->source_channels[source]; ++source) from -= job->source_channels[source];
    const ck_element *start = (const ck_element *)job->sources[source] + from / CK_WIDTH * job->area * CK_WIDTH;
    int t = 0;
    while (t < count && starts[t] != start) ++t;
    if (t == count) {
      const CK_NAME(gather_term) none = {0};
      starts[count++] = start;
      terms[t] = none;
      terms[t].start = start;
      terms[t].stride = (job->source_channels[source] + CK_WIDTH - 1) / CK_WIDTH * job->area * CK_WIDTH;
    }
    terms[t].lanes[k] = from % CK_WIDTH;
    terms[t].taken[k] = -1;
  }
  return count;
}

static void CK_NAME(gather_channels)(void *context, int part) {
  const ck_gather_work *w = context;
  const ck_gather_channels_job *job = w->job;
  const long blocks = (job->channel_count + CK_WIDTH - 1) / CK_WIDTH;
  for (long block = part * blocks / w->parts; block < (part + 1) * blocks / w->parts; ++block) {
    CK_NAME(gather_term) terms[CK_WIDTH];
    const int count = CK_NAME(gather_terms)(job, block, terms);
    for (long image = 0; image < job->batch; ++image) {
      ck_element *y = (ck_element *)job->result + (image * blocks + block) * job->area * CK_WIDTH;
      // Terms that are known in number stay in registers.
      switch (count) {
        case 1: CK_NAME(gather_block)(terms, 1, image, job->area, y); break;
        case 2: CK_NAME(gather_block)(terms, 2, image, job->area, y); break;
        case 3: CK_NAME(gather_block)(terms, 3, image, job->area, y); break;
        case 4: CK_NAME(gather_block)(terms, 4, image, job->area, y); break;
        default: CK_NAME(gather_block)(terms, count, image, job->area, y);
      }
    }
  }
}
