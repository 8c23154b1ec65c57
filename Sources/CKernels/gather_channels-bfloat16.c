// Channels of images in bfloat16, gathered.
#define CK_BFLOAT16 1
#include "gather_channels.c"
