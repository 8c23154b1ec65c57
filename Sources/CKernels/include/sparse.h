// The elements of largest magnitude of a vector, and vectors of few elements as indices and values.
//
// Magnitudes are compared as the bits of floats without their sign, as unsigned numbers: what is not a number is above all
// that are, so it is never lost. Of equal magnitudes the lower index comes first.
#ifndef CK_SPARSE_H
#define CK_SPARSE_H
#include <stdint.h>

enum { CK_SELECTION_BINS = 2048 };

/// The least magnitude among the k largest, how many are above it, and how many of it are among them.
typedef struct {
  uint32_t magnitude;
  long above, ties;
} ck_selection;

/// Finds the k largest of `count` elements, 1 ≤ k ≤ count, by three counts of digits. `bins` is scratch memory.
void ck_select_largest(const float *values, long count, long k, uint32_t *bins, ck_selection *selection);

/// Writes, ascending, the indices of all elements above a magnitude and of the first `ties` that equal it, at most
/// `capacity` of them; *listed = how many there are, or capacity + 1 where they are more.
void ck_list_largest(
    const float *values, long count, uint32_t magnitude, long ties, uint32_t *indices, long capacity, long *listed);

/// samples[i] = values[first + i·stride].
void ck_sample(const float *values, long first, long stride, float *samples, long count);

/// taken[i] = values[indices[i]], which then becomes 0. `taken` needs no alignment.
void ck_take(float *values, const uint32_t *indices, long count, void *taken);

/// values[indices[i]] = 0.
void ck_clear(float *values, const uint32_t *indices, long count);

/// values[indices[i]] += added[i]; neither of the two needs alignment.
/// Returns 0, and stops, at an index that is not below `limit`.
int ck_scatter_add(float *values, long limit, const void *indices, const void *added, long count);

#endif
