// Our own kernels beside the library's, in turns, over shapes of the built-in models:
//
//     swift run -c release kernel-speed
//     DNNL_MAX_CPU_ISA=AVX2 swift run -c release kernel-speed
//
// A line has the least and the median milliseconds of both, and their ratios. The library gets the layouts in which
// values lie in a plan; where it has only plain loops for those, row-major ones, without what reordering to them costs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CKernels.h"
#include "onednn_shim.h"

enum { ROUNDS = 21 };

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/// Memory that lives until the end, filled with numbers of −1/2 ..< 1/2.
static float *numbers(size_t bytes) {
  float *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (!memory) exit(1);
  for (size_t i = 0; i < bytes / sizeof(float); ++i) memory[i] = (float)(drand48() - 0.5);
  return memory;
}

static odn_kernel *checked(odn_kernel *kernel) {
  if (kernel) return kernel;
  fprintf(stderr, "%s\n", odn_last_error());
  exit(1);
}

/// Builds a kernel with memory of its own for every argument.
static odn_kernel *bound(odn_kernel *kernel) {
  if (odn_kernel_build(checked(kernel))) checked(0);
  for (int argument = 0; argument <= ODN_SCRATCHPAD; ++argument) {
    const size_t bytes = odn_layout_bytes(odn_kernel_layout(kernel, argument));
    if (bytes > 0) odn_kernel_bind(kernel, argument, numbers(bytes));
  }
  return kernel;
}

static int has_plain_loops(odn_kernel *kernel) { return strncmp(odn_kernel_name(checked(kernel)), "ref", 3) == 0; }

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/// A pass of our own.
typedef void (*own_pass)(void *context);

static void compare(const char *name, const char *pass, odn_kernel *library, own_pass own, void *context) {
  double theirs[ROUNDS], ours[ROUNDS];
  for (int round = 0; round < ROUNDS; ++round) {
    double start = milliseconds();
    odn_kernel_run(library);
    theirs[round] = milliseconds() - start;
    start = milliseconds();
    own(context);
    ours[round] = milliseconds() - start;
  }
  qsort(theirs, ROUNDS, sizeof *theirs, ascending);
  qsort(ours, ROUNDS, sizeof *ours, ascending);
  printf("%-30s %-8s library %8.4f %8.4f  own %7.4f %7.4f  ratio %6.2f %6.2f  %s\n", name, pass, theirs[0],
         theirs[ROUNDS / 2], ours[0], ours[ROUNDS / 2], theirs[0] / ours[0],
         theirs[ROUNDS / 2] / ours[ROUNDS / 2], odn_kernel_name(library));
}

// MARK: pools

typedef struct {
  ck_pool shape;
  int is_max;
  const float *input;
  float *output;
  unsigned char *places;
} pool;

static void run_pool(void *context) {
  const pool *p = context;
  if (p->is_max)
    ck_max_pool_forward(&p->shape, p->input, p->output, p->places, 0, 1);
  else
    ck_average_pool_forward(&p->shape, p->input, p->output, 0, 1);
}

static void run_pool_backward(void *context) {
  const pool *p = context;
  if (p->is_max)
    ck_max_pool_backward(&p->shape, p->places, p->input, p->output, 0, 1);
  else
    ck_average_pool_backward(&p->shape, p->input, p->output, 0, 1);
}

static void compare_pool(int batch, int channels, int extent, int kernel, int stride, int padding, int is_max) {
  const int out = (extent + 2 * padding - kernel) / stride + 1;
  odn_layout *x = odn_layout_channel_blocks((int64_t[]){batch, channels, extent, extent}, ck_block());
  odn_layout *y = odn_layout_channel_blocks((int64_t[]){batch, channels, out, out}, ck_block());
  const odn_window window = {{kernel, kernel}, {stride, stride}, {padding, padding}};
  const odn_pool kind = is_max ? ODN_POOL_MAX : ODN_POOL_AVERAGE;
  pool p = {{batch, channels, extent, extent, out, out, kernel, kernel, stride, stride, padding, padding}, is_max,
            numbers(odn_layout_bytes(x)), numbers(odn_layout_bytes(y)),
            (unsigned char *)numbers(odn_layout_bytes(y) / sizeof(float))};
  char name[64];
  snprintf(
      name, sizeof name, "%s %dx%dx%d, %dx%d", is_max ? "max" : "average", batch, channels, extent, kernel, kernel);
  odn_kernel *forward = bound(odn_pool_forward(ODN_TRAINING, kind, x, y, &window));
  odn_kernel *backward = bound(odn_pool_backward(kind, x, y, &window));
  // The library's places must be places.
  const size_t workspace = odn_layout_bytes(odn_kernel_layout(forward, ODN_WORKSPACE));
  if (workspace > 0) {
    void *places = numbers(workspace);
    odn_kernel_bind(forward, ODN_WORKSPACE, places);
    odn_kernel_bind(backward, ODN_WORKSPACE, places);
  }
  compare(name, "y", forward, run_pool, &p);
  p.input = numbers(odn_layout_bytes(y));
  p.output = numbers(odn_layout_bytes(x));
  compare(name, "dx", backward, run_pool_backward, &p);
}

// MARK: convolutions

typedef struct {
  ck_depthwise_job job;
  ck_pass pass;
} depthwise;

static void run_depthwise(void *context) {
  const depthwise *d = context;
  ck_depthwise_run(&d->job, d->pass, 0, 1);
}

static void compare_depthwise(int batch, int channels, int extent, int kernel, int stride) {
  const int padding = kernel / 2, out = (extent + 2 * padding - kernel) / stride + 1;
  const int64_t input[] = {batch, channels, extent, extent}, output[] = {batch, channels, out, out};
  const int64_t filters[] = {channels, 1, 1, kernel, kernel};
  odn_layout *x = odn_layout_channel_blocks(input, ck_block()), *y = odn_layout_channel_blocks(output, ck_block());
  const odn_window window = {{kernel, kernel}, {stride, stride}, {padding, padding}};
  odn_kernel *forward = odn_convolution_forward(ODN_TRAINING, x, odn_layout_any(5, filters), 0, y, &window, 0);
  odn_layout *w = odn_kernel_layout(checked(forward), ODN_WEIGHTS);
  odn_kernel *data = odn_convolution_backward_data(x, w, y, &window);
  odn_kernel *weights = odn_convolution_backward_weights(x, w, 0, y, &window);
  if (has_plain_loops(weights))
    weights = odn_convolution_backward_weights(
        odn_layout_plain(4, input), odn_layout_plain(5, filters), 0, odn_layout_plain(4, output), &window);
  depthwise d = {{.shape = {batch, channels, extent, extent, out, out, padding, padding, kernel, stride}}};
  d.job.source = numbers(odn_layout_bytes(x));
  d.job.weights = numbers(odn_layout_bytes(w));
  d.job.diff_result = numbers(odn_layout_bytes(y));
  d.job.scratch = numbers(sizeof(float) * (size_t)ck_depthwise_scratch(&d.job.shape, CK_BACKWARD_WEIGHTS, 1));
  char name[64];
  snprintf(name, sizeof name, "depthwise %dx%dx%d, %dx%d/%d", batch, channels, extent, kernel, kernel, stride);
  odn_kernel *kernels[] = {forward, data, weights};
  const size_t bytes[] = {odn_layout_bytes(y), odn_layout_bytes(x), odn_layout_bytes(w)};
  for (int pass = CK_FORWARD; pass <= CK_BACKWARD_WEIGHTS; ++pass) {
    d.pass = (ck_pass)pass;
    d.job.output = numbers(bytes[pass]);
    compare(name, (const char *[]){"y", "dx", "dw"}[pass], bound(kernels[pass]), run_depthwise, &d);
  }
}

static void run_first(void *context) { ck_first_convolution_weights(context, 0, 1); }

static void compare_first(int batch, int channels, int extent, int filters, int kernel, int stride) {
  const int padding = kernel / 2, out = (extent + 2 * padding - kernel) / stride + 1;
  const int64_t input[] = {batch, channels, extent, extent}, output[] = {batch, filters, out, out};
  const int64_t extents[] = {filters, channels, kernel, kernel};
  odn_layout *x = odn_layout_plain(4, input), *y = odn_layout_channel_blocks(output, ck_block());
  const odn_window window = {{kernel, kernel}, {stride, stride}, {padding, padding}};
  odn_kernel *forward = odn_convolution_forward(ODN_TRAINING, x, odn_layout_any(4, extents), 0, y, &window, 0);
  odn_layout *w = odn_kernel_layout(checked(forward), ODN_WEIGHTS);
  odn_kernel *weights = odn_convolution_backward_weights(x, w, 0, y, &window);
  if (has_plain_loops(weights))
    weights = odn_convolution_backward_weights(
        x, odn_layout_plain(4, extents), 0, odn_layout_plain(4, output), &window);
  ck_first_convolution_job job = {
      .shape = {batch, channels, extent, extent, filters, out, out, padding, padding, kernel, stride}};
  job.source = numbers(odn_layout_bytes(x));
  job.diff_result = numbers(odn_layout_bytes(y));
  job.diff_weights = numbers(odn_layout_bytes(w));
  job.scratch = numbers(sizeof(float) * (size_t)ck_first_convolution_scratch(&job.shape, 1));
  char name[64];
  snprintf(
      name, sizeof name, "first %dx%dx%d to %d, %dx%d/%d", batch, channels, extent, filters, kernel, kernel, stride);
  compare(name, "dw", bound(weights), run_first, &job);
}

int main(void) {
  if (strcmp(odn_instruction_set(), "AVX2") == 0) ck_limit_instruction_set(CK_AVX2);
  odn_set_threads(1);
  printf("oneDNN %s, %s; milliseconds least and median of %d\n", odn_version(), odn_instruction_set(), ROUNDS);
  compare_pool(64, 32, 28, 2, 2, 0, 1);
  compare_pool(64, 64, 14, 2, 2, 0, 1);
  compare_pool(16, 64, 32, 3, 2, 1, 1);
  compare_pool(4, 64, 112, 3, 2, 1, 1);
  compare_pool(16, 128, 16, 2, 2, 0, 0);
  compare_pool(16, 512, 4, 2, 2, 0, 0);
  compare_pool(16, 2048, 2, 2, 1, 0, 0);
  compare_pool(32, 512, 4, 4, 1, 0, 0);
  compare_depthwise(16, 32, 32, 3, 1);
  compare_depthwise(16, 96, 32, 3, 2);
  compare_depthwise(16, 192, 8, 3, 1);
  compare_depthwise(16, 384, 4, 3, 1);
  compare_depthwise(16, 960, 2, 3, 1);
  compare_depthwise(4, 32, 112, 3, 1);
  compare_depthwise(4, 144, 56, 3, 2);
  compare_depthwise(16, 64, 28, 5, 1);
  compare_depthwise(16, 96, 28, 5, 2);
  compare_first(64, 1, 28, 32, 5, 1);
  compare_first(256, 1, 28, 32, 3, 1);
  compare_first(32, 3, 32, 64, 3, 1);
  return 0;
}
