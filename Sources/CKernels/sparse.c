#include "include/sparse.h"

#include "lanes.h"

/// The bin of the k-th largest, counted from the last bin; *above = how many are in bins behind it.
static CK_INLINE uint32_t bin_of(const uint32_t *bins, uint32_t count, long k, long *above) {
  long seen = 0;
  uint32_t bin = count - 1;
  while (seen + bins[bin] < k) seen += bins[bin--];
  *above += seen;
  return bin;
}

/// Counts the digits at `shift` of all magnitudes whose higher digits are `prefix`.
static CK_INLINE void count_digits(
    const float *values, long count, uint32_t prefix, int shift, uint32_t digits, uint32_t *bins) {
  memset(bins, 0, digits * sizeof *bins);
  const int above = shift + (digits == 2048 ? 11 : 10);
  const ck_ints wanted = (ck_ints){} + (int)prefix;
  long i = 0;
  for (; i + CK_LANES <= count; i += CK_LANES) {
    const ck_ints magnitudes = ck_magnitudes(ck_lanes_at(values + i));
    unsigned hits = above >= 31 ? 0xffff : ck_bits_of((magnitudes >> above) == wanted);
    if (hits == 0) continue;
    for (; hits != 0; hits &= hits - 1) {
      const uint32_t magnitude = ck_magnitude(values[i + __builtin_ctz(hits)]);
      ++bins[magnitude >> shift & (digits - 1)];
    }
  }
  for (; i < count; ++i) {
    const uint32_t magnitude = ck_magnitude(values[i]);
    if (above >= 31 || magnitude >> above == prefix) ++bins[magnitude >> shift & (digits - 1)];
  }
}

static CK_INLINE void select_body(
    const float *values, long count, long k, uint32_t *bins, ck_selection *selection, int fused) {
  (void)fused;
  long above = 0;
  count_digits(values, count, 0, 20, 2048, bins);
  uint32_t magnitude = bin_of(bins, 2048, k, &above);
  for (int shift = 10; shift >= 0; shift -= 10) {
    count_digits(values, count, magnitude, shift, 1024, bins);
    magnitude = magnitude << 10 | bin_of(bins, 1024, k - above, &above);
  }
  *selection = (ck_selection){magnitude, above, k - above};
}
CK_VARIANTS(ck_select_largest, select_body,
            (const float *values, long count, long k, uint32_t *bins, ck_selection *selection),
            (values, count, k, bins, selection))

static CK_INLINE void list_body(
    const float *values, long count, uint32_t magnitude, long ties, uint32_t *indices, long capacity, long *listed,
    int fused) {
  (void)fused;
  long found = 0, i = 0;
  // From there on an element is looked at; it is one above once no tie is left.
  uint32_t least = ties > 0 ? magnitude : magnitude + 1;
  *listed = capacity + 1;
  for (; i + CK_LANES <= count; i += CK_LANES) {
    const ck_ints bound = (ck_ints){} + (int)(least - 1);
    unsigned hits = ck_bits_of(ck_magnitudes(ck_lanes_at(values + i)) > bound);
    for (; hits != 0; hits &= hits - 1) {
      const long at = i + __builtin_ctz(hits);
      if (ck_magnitude(values[at]) == magnitude) {
        if (ties == 0) continue;
        if (--ties == 0) least = magnitude + 1;
      }
      if (found == capacity) return;
      indices[found++] = (uint32_t)at;
    }
  }
  for (; i < count; ++i) {
    if (ck_magnitude(values[i]) < least) continue;
    if (ck_magnitude(values[i]) == magnitude && --ties == 0) least = magnitude + 1;
    if (found == capacity) return;
    indices[found++] = (uint32_t)i;
  }
  *listed = found;
}
CK_VARIANTS(ck_list_largest, list_body,
            (const float *values, long count, uint32_t magnitude, long ties, uint32_t *indices, long capacity,
             long *listed),
            (values, count, magnitude, ties, indices, capacity, listed))

void ck_sample(const float *values, long first, long stride, float *samples, long count) {
  for (long i = 0; i < count; ++i) samples[i] = values[first + i * stride];
}

void ck_take(float *values, const uint32_t *indices, long count, void *taken) {
  char *to = taken;
  for (long i = 0; i < count; ++i) {
    memcpy(to + 4 * i, values + indices[i], 4);
    values[indices[i]] = 0;
  }
}

void ck_clear(float *values, const uint32_t *indices, long count) {
  for (long i = 0; i < count; ++i) values[indices[i]] = 0;
}

int ck_scatter_add(float *values, long limit, const void *indices, const void *added, long count) {
  const char *const places = indices, *const numbers = added;
  for (long i = 0; i < count; ++i) {
    uint32_t index;
    float number;
    memcpy(&index, places + 4 * i, sizeof index);
    memcpy(&number, numbers + 4 * i, sizeof number);
    if ((long)index >= limit) return 0;
    values[index] += number;
  }
  return 1;
}
