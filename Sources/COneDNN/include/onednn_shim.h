// oneDNN as the engine sees it: layouts of tensors and kernels over them, the same under oneDNN 2.6 and 3.x.
//
// Every function that can fail returns NULL or a non-zero int and leaves a sentence in `odn_last_error` of the calling
// thread. A kernel captures the size of the calling thread's OpenMP team when it is made, so each worker thread makes
// and runs its own. Kernels of different threads are independent.
#ifndef ONEDNN_SHIM_H
#define ONEDNN_SHIM_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

const char *odn_last_error(void);

/// The library's version, "2.6.3" and the like.
const char *odn_version(void);
/// That of the headers that the shim was compiled with.
const char *odn_header_version(void);
/// The instruction set that oneDNN uses at most, as a name.
const char *odn_instruction_set(void);
/// Threads of an OpenMP team started by the calling thread from now on.
void odn_set_threads(int threads);
int odn_threads(void);
/// Runs body(context, part) for the parts from 0 on an OpenMP team of the calling thread, one part a thread, and waits
/// for all of them. Without OpenMP, one after another.
void odn_team(void (*body)(void *context, int part), void *context, int parts);

// MARK: layouts

/// Extents of a tensor, the order in which memory holds its elements, and what these are.
typedef struct odn_layout odn_layout;

typedef enum { ODN_FLOAT32, ODN_BFLOAT16 } odn_element;

/// Whether there are kernels for bfloat16 under the effective instruction set.
int odn_has_bfloat16(void);

/// The same order of other elements; NULL for orders that have no name. All layouts are made as those of floats.
odn_layout *odn_layout_of_elements(const odn_layout *, odn_element);
odn_element odn_layout_element(const odn_layout *);
/// Row-major.
odn_layout *odn_layout_plain(int rank, const int64_t *extents);
/// Left to the kernel that is made with it.
odn_layout *odn_layout_any(int rank, const int64_t *extents);
/// Weights [out, in, height, width] as [out / block, in / block, height, width, block of in, block of out]; `block` is 8 or 16.
odn_layout *odn_layout_blocked_weights(const int64_t *extents, int block);
/// The part of `extents` elements that starts at `offsets`; NULL where the layout cannot express it.
odn_layout *odn_layout_part(const odn_layout *whole, const int64_t *extents, const int64_t *offsets);
/// Four axes with 16, 8 or 4 channels side by side.
odn_layout *odn_layout_channel_blocks(const int64_t *extents, int channels);
/// Other extents in the same order of elements (row-major, channels last, blocks of channels); NULL for other orders.
odn_layout *odn_layout_resized(const odn_layout *, const int64_t *extents);
odn_layout *odn_layout_copy(const odn_layout *);
void odn_layout_free(odn_layout *);
int odn_layout_equal(const odn_layout *, const odn_layout *);
/// Bytes of memory, padding included.
size_t odn_layout_bytes(const odn_layout *);
/// Whether the elements lie in blocks at known places (1), or in a form that only its kernel knows (0).
int odn_layout_is_blocked(const odn_layout *);
/// `aBcd16b` and the like; valid until the thread's next call.
const char *odn_layout_text(const odn_layout *);

// MARK: kernels

typedef struct odn_kernel odn_kernel;

typedef enum {
  ODN_SRC,
  ODN_SRC_1,
  ODN_DST,
  ODN_WEIGHTS,
  ODN_BIAS,
  ODN_MEAN,
  ODN_VARIANCE,
  ODN_SCALE,
  ODN_SHIFT,
  ODN_DIFF_SRC,
  ODN_DIFF_DST,
  ODN_DIFF_WEIGHTS,
  ODN_DIFF_BIAS,
  ODN_DIFF_SCALE,
  ODN_DIFF_SHIFT,
  ODN_WORKSPACE,
  ODN_SCRATCHPAD,
  /// ODN_MULTIPLE_SRC + i is input i of a concatenation.
  ODN_MULTIPLE_SRC
} odn_argument;

/// Height and width of a window's extent, step and margin.
typedef struct {
  int64_t kernel[2], stride[2], padding[2];
} odn_window;

typedef enum { ODN_TRAINING, ODN_INFERENCE } odn_mode;
typedef enum { ODN_POOL_MAX, ODN_POOL_AVERAGE } odn_pool;
/// max(·, 0), and min(max(·, 0), 6).
typedef enum { ODN_RELU, ODN_RELU6 } odn_rectifier;

/// `bias` may be NULL. `relu` applies max(·, 0) to the result.
odn_kernel *odn_convolution_forward(
    odn_mode, const odn_layout *src, const odn_layout *weights, const odn_layout *bias, const odn_layout *dst,
    const odn_window *, int relu);
odn_kernel *odn_convolution_backward_data(
    const odn_layout *diff_src, const odn_layout *weights, const odn_layout *diff_dst, const odn_window *);
odn_kernel *odn_convolution_backward_weights(
    const odn_layout *src, const odn_layout *diff_weights, const odn_layout *diff_bias, const odn_layout *diff_dst,
    const odn_window *);
odn_kernel *odn_inner_product_forward(
    odn_mode, const odn_layout *src, const odn_layout *weights, const odn_layout *bias, const odn_layout *dst, int relu);
odn_kernel *odn_inner_product_backward_data(
    const odn_layout *diff_src, const odn_layout *weights, const odn_layout *diff_dst);
odn_kernel *odn_inner_product_backward_weights(
    const odn_layout *src, const odn_layout *diff_weights, const odn_layout *diff_bias, const odn_layout *diff_dst);
odn_kernel *odn_pool_forward(odn_mode, odn_pool, const odn_layout *src, const odn_layout *dst, const odn_window *);
odn_kernel *odn_pool_backward(odn_pool, const odn_layout *diff_src, const odn_layout *diff_dst, const odn_window *);
/// Training: makes mean and variance. Inference: takes them.
odn_kernel *odn_batch_norm_forward(odn_mode, const odn_layout *src, float epsilon);
odn_kernel *odn_batch_norm_backward(const odn_layout *src, const odn_layout *diff, float epsilon);
odn_kernel *odn_relu_forward(odn_mode, odn_rectifier, const odn_layout *);
/// From the forward result (DST), not its input.
odn_kernel *odn_relu_backward(odn_rectifier, const odn_layout *dst, const odn_layout *diff);
/// DST = SRC + SRC_1; DST may be SRC. It takes no ReLU: oneDNN 2.6.3 forgets it in the last, partly filled
/// block of channels.
odn_kernel *odn_add(const odn_layout *src, const odn_layout *src_1, const odn_layout *dst);
/// Along axis 1; `dst` NULL lets the kernel choose.
odn_kernel *odn_concatenate(int count, const odn_layout *const *src, const odn_layout *dst);
/// Channel i·(channels/groups) + j goes to j·groups + i. The inverse has channels/groups for groups.
odn_kernel *odn_shuffle(const odn_layout *, int channels, int groups);
odn_kernel *odn_reorder(const odn_layout *src, const odn_layout *dst);
void odn_kernel_free(odn_kernel *);

/// The implementation's name, such as `jit:avx512_core`.
const char *odn_kernel_name(const odn_kernel *);
/// The layout the kernel wants for an argument; zero bytes where it takes no such argument. The caller frees it.
odn_layout *odn_kernel_layout(const odn_kernel *, int argument);

/// Generates the code. Until then a kernel is only a description.
int odn_kernel_build(odn_kernel *);
/// Says where an argument lies; may be said again between runs.
int odn_kernel_bind(odn_kernel *, int argument, void *memory);
int odn_kernel_run(odn_kernel *);

#ifdef __cplusplus
}
#endif
#endif
