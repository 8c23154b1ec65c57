// What the kernels with weights have in common: convolutions and inner products.
#ifndef CK_PASS_H
#define CK_PASS_H

/// The result, the source's gradient, or the gradients of weights and bias.
typedef enum { CK_FORWARD, CK_BACKWARD_DATA, CK_BACKWARD_WEIGHTS } ck_pass;

/// What images are stored as. Parameters and their gradients are floats, and so is every sum.
typedef enum { CK_IN_FLOAT32, CK_IN_BFLOAT16 } ck_storage;

/// Channels side by side in a block: as many as a vector of the effective instruction set holds, 8 or 16.
int ck_block(void);

/// Runs body(context, part) for all parts from 0, at once or one after another, and waits for all of them.
typedef void (*ck_team)(void (*body)(void *context, int part), void *context, int parts);

#endif
