// Undoes what vectors-body.h defines.
#undef vector
#undef load_element
#undef store_element
#undef CK_MULTIPLY
#undef load
#undef store
#undef splat
#undef fma
#undef fmas
#undef positive
#undef CK_NAME
#undef CK_WIDTH
#undef CK_FUSED
#undef CK_ROWS
#undef CK_DOTS
