// Dropout by counter-based random numbers.
#ifndef CK_DROPOUT_H
#define CK_DROPOUT_H
#include <stdint.h>

/// destination = source · scale where the element is kept, else 0; both are [samples, features], row-major, and may be
/// the same. Element e of sample i is kept if the 32-bit word of (key, epoch, step, sample_ids[i], e) is at least
/// `threshold`. The backward pass is the same call on gradients: the mask is computed again, never stored.
void ck_dropout(
    const float *source, float *destination, long samples, long features, const uint32_t *sample_ids, uint64_t key,
    uint32_t step, uint32_t epoch, uint32_t threshold, float scale);

#endif
