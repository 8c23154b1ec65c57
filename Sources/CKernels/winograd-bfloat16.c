// Winograd's convolutions of images in bfloat16.
#define CK_BFLOAT16 1
#include "winograd.c"
