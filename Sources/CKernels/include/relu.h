// The gradient of a ReLU, over tensors in one order of elements.
#ifndef CK_RELU_H
#define CK_RELU_H

/// diff_source[i] = diff_result[i] where result[i] > 0, else 0. `diff_source` may be `diff_result`.
void ck_relu_backward(const float *result, const float *diff_result, float *diff_source, long count);

#endif
