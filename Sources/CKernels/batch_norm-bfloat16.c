// Batch normalisation of images in bfloat16.
#define CK_BFLOAT16 1
#include "batch_norm.c"
