#include "include/inner_product.h"

#include <string.h>

#include "element.h"
#include "parts.h"

/// A pass with its memory laid out. Strides count words of 32 bits: of floats, or of pairs of bfloat16 that follow each other
/// in the sum.
typedef struct {
  long samples, inputs, outputs, padded_inputs, input_blocks, output_blocks;
  /// Panels of two blocks of outputs.
  long panels;
  /// Inputs that are worked on together, and the distance of their rows.
  long chunk, chunk_stride;
  /// Blocks of outputs that are summed over before the next chunk's turn (gradient of the source).
  long block_chunk;
  const ck_element *source, *diff_result;
  const float *weights, *bias;
  ck_element *output;
  /// Where results are wanted as floats although sources are not; else NULL.
  float *float_results;
  float *weight_gradient;
  int relu, parts;
  float *own;
  long own_floats;
} ck_product_work;

/// Cuts `count` into as few equal chunks of whole vectors as there must be for none to be larger than `most`.
static long chunk_of(long count, long most, long width) {
  const long chunks = (count + most - 1) / most;
  return ((count + chunks - 1) / chunks + width - 1) / width * width;
}

static ck_product_work lay_out(const ck_inner_product *shape, ck_pass pass, int parts, long width) {
  ck_product_work w = {0};
  w.samples = shape->samples;
  w.inputs = shape->inputs;
  w.outputs = shape->outputs;
  w.input_blocks = (shape->inputs + width - 1) / width;
  w.output_blocks = (shape->outputs + width - 1) / width;
  w.padded_inputs = w.input_blocks * width;
  w.panels = (w.output_blocks + 1) / 2;
  w.parts = parts;
  switch (pass) {
    case CK_FORWARD:
      w.chunk = chunk_of(w.padded_inputs, 512, width);
      w.chunk_stride = w.chunk / CK_PER_WORD + 16;
      w.own_floats = w.samples * w.chunk_stride + (w.panels + parts - 1) / parts * w.samples * 2 * width;
      if (CK_PER_WORD == 2) w.own_floats += w.chunk * width;
      break;
    case CK_BACKWARD_WEIGHTS: {
      const long summed = (w.samples + CK_PER_WORD - 1) / CK_PER_WORD;
      w.chunk = chunk_of(w.padded_inputs, 512, width);
      w.chunk_stride = w.chunk + 16;
      w.own_floats = summed * (w.chunk_stride + w.panels * 2 * width);
      break;
    }
    case CK_BACKWARD_DATA: {
      const long sample_panels = (w.samples + 2 * width - 1) / (2 * width), words = w.output_blocks * width / CK_PER_WORD;
      w.chunk = chunk_of(w.padded_inputs, 192, width);
      w.block_chunk = 256 / width;
      w.own_floats = sample_panels * 2 * width * (words + w.chunk);
      if (CK_PER_WORD == 2) {
        // Packed weights, or a panel's rows.
        const long weights = w.block_chunk * w.chunk * width / 2, rows = 2 * width * words;
        w.own_floats += weights > rows ? weights : rows;
      }
      break;
    }
  }
  w.own_floats = (w.own_floats + 15) / 16 * 16;
  return w;
}

#define CK_BODY "inner_product-body.h"
#include "instruction-sets.h"

static ck_phase loop_of(ck_pass pass) {
  switch (pass) {
    case CK_FORWARD: return CK_EFFECTIVE(product_forward);
    case CK_BACKWARD_DATA: return CK_EFFECTIVE(product_backward_data);
    default: return CK_EFFECTIVE(product_weight_gradient);
  }
}

/// The gradient of the bias: a sum over the samples in their order.
static void bias_gradient(const ck_inner_product_job *job) {
  const long outputs = job->shape.outputs;
  const ck_element *gradient = job->diff_result;
  memset(job->diff_bias, 0, (unsigned long)outputs * sizeof(float));
  for (long n = 0; n < job->shape.samples; ++n)
    for (long o = 0; o < outputs; ++o) job->diff_bias[o] += ck_element_value(gradient[n * outputs + o]);
}

long CK_FOR_ELEMENT(ck_inner_product_scratch)(const ck_inner_product *shape, ck_pass pass, int parts) {
  return parts * lay_out(shape, pass, parts, ck_block()).own_floats;
}

void CK_FOR_ELEMENT(ck_inner_product_run)(const ck_inner_product_job *job, ck_pass pass, ck_team team, int parts) {
  const ck_phase loop = loop_of(pass);
  ck_product_work w = lay_out(&job->shape, pass, parts, ck_block());
  w.source = job->source;
  w.weights = job->weights;
  w.bias = job->bias;
  w.diff_result = job->diff_result;
  w.output = job->output;
  w.float_results = CK_BFLOAT16 && job->shape.result_storage == CK_IN_FLOAT32 ? job->output : 0;
  w.weight_gradient = job->output;
  w.relu = job->relu;
  w.own = job->scratch;
  ck_run_parts(loop, &w, team, parts);
  if (pass == CK_BACKWARD_WEIGHTS && job->diff_bias) bias_gradient(job);
}

#if !CK_BFLOAT16
long ck_inner_product_scratch_bfloat16(const ck_inner_product *shape, ck_pass pass, int parts);
void ck_inner_product_run_bfloat16(const ck_inner_product_job *job, ck_pass pass, ck_team team, int parts);

long ck_inner_product_scratch(const ck_inner_product *shape, ck_pass pass, int parts) {
  return (shape->storage == CK_IN_BFLOAT16 ? ck_inner_product_scratch_bfloat16 : ck_inner_product_scratch_float32)(
      shape, pass, parts);
}

void ck_inner_product_run(const ck_inner_product_job *job, ck_pass pass, ck_team team, int parts) {
  (job->shape.storage == CK_IN_BFLOAT16 ? ck_inner_product_run_bfloat16 : ck_inner_product_run_float32)(
      job, pass, team, parts);
}
#endif
