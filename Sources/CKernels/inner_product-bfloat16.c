// Inner products of sources in bfloat16.
#define CK_BFLOAT16 1
#include "inner_product.c"
