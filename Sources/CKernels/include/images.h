// Pixels to network input.
#ifndef CK_IMAGES_H
#define CK_IMAGES_H
#include <stdint.h>

/// out[i] = in[i]·scale + shift, one fused multiply-add where the instruction set has it.
void ck_normalise_bytes(float *out, const uint8_t *in, long count, float scale, float shift);

#endif
