// One function for each kind of kernel.
#include "internal.hpp"

using namespace odn;
using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;

#define ODN_KERNEL(...) return guarded<odn_kernel *>(nullptr, [&]() -> odn_kernel * { __VA_ARGS__ })

odn_kernel *odn_convolution_forward(
    odn_mode mode, const odn_layout *src, const odn_layout *weights, const odn_layout *bias, const odn_layout *dst,
    const odn_window *window, int relu) {
  ODN_KERNEL({
    const auto stride = pair(window->stride), padding = pair(window->padding);
    using Forward = dnnl::convolution_forward;
    const auto kind = forward_kind(mode);
    const auto direct = algorithm::convolution_direct;
    if (bias)
      return kernel(describe<Forward>(
          attributes(relu), kind, direct, src->desc, weights->desc, bias->desc, dst->desc, stride, padding, padding));
    return kernel(describe<Forward>(
        attributes(relu), kind, direct, src->desc, weights->desc, dst->desc, stride, padding, padding));
  });
}

/// The forward convolution that a backward one names as its hint; only its geometry matters, and that its weights are of the
/// images' elements, which those of a gradient need not be.
static dnnl::convolution_forward::primitive_desc forward_hint(
    const odn_layout *src, const odn_layout *weights, const odn_layout *dst, const odn_window *window) {
  return describe<dnnl::convolution_forward>(
      attributes(), prop_kind::forward_training, algorithm::convolution_direct, any_like(src, src),
      any_like(weights, src), any_like(dst, src), pair(window->stride), pair(window->padding), pair(window->padding));
}

odn_kernel *odn_convolution_backward_data(
    const odn_layout *diff_src, const odn_layout *weights, const odn_layout *diff_dst, const odn_window *window) {
  ODN_KERNEL({
    const auto stride = pair(window->stride), padding = pair(window->padding);
    return kernel(describe_backward<dnnl::convolution_backward_data>(
        attributes(), forward_hint(diff_src, weights, diff_dst, window), algorithm::convolution_direct, diff_src->desc,
        weights->desc, diff_dst->desc, stride, padding, padding));
  });
}

odn_kernel *odn_convolution_backward_weights(
    const odn_layout *src, const odn_layout *diff_weights, const odn_layout *diff_bias, const odn_layout *diff_dst,
    const odn_window *window) {
  ODN_KERNEL({
    const auto stride = pair(window->stride), padding = pair(window->padding);
    const auto hint = forward_hint(src, diff_weights, diff_dst, window);
    using Backward = dnnl::convolution_backward_weights;
    const auto direct = algorithm::convolution_direct;
    if (diff_bias)
      return kernel(describe_backward<Backward>(
          attributes(), hint, direct, src->desc, diff_weights->desc, diff_bias->desc, diff_dst->desc, stride, padding,
          padding));
    return kernel(describe_backward<Backward>(
        attributes(), hint, direct, src->desc, diff_weights->desc, diff_dst->desc, stride, padding, padding));
  });
}

odn_kernel *odn_inner_product_forward(
    odn_mode mode, const odn_layout *src, const odn_layout *weights, const odn_layout *bias, const odn_layout *dst,
    int relu) {
  ODN_KERNEL({
    using Forward = dnnl::inner_product_forward;
    const auto kind = forward_kind(mode);
    if (bias)
      return kernel(
          describe<Forward>(attributes(relu), kind, src->desc, weights->desc, bias->desc, dst->desc));
    return kernel(describe<Forward>(attributes(relu), kind, src->desc, weights->desc, dst->desc));
  });
}

static dnnl::inner_product_forward::primitive_desc product_hint(
    const odn_layout *src, const odn_layout *weights, const odn_layout *dst) {
  return describe<dnnl::inner_product_forward>(
      attributes(), prop_kind::forward_training, any_like(src, src), any_like(weights, src), any_like(dst, src));
}

odn_kernel *odn_inner_product_backward_data(
    const odn_layout *diff_src, const odn_layout *weights, const odn_layout *diff_dst) {
  ODN_KERNEL({
    return kernel(describe_backward<dnnl::inner_product_backward_data>(
        attributes(), product_hint(diff_src, weights, diff_dst), diff_src->desc, weights->desc, diff_dst->desc));
  });
}

odn_kernel *odn_inner_product_backward_weights(
    const odn_layout *src, const odn_layout *diff_weights, const odn_layout *diff_bias, const odn_layout *diff_dst) {
  ODN_KERNEL({
    using Backward = dnnl::inner_product_backward_weights;
    const auto hint = product_hint(src, diff_weights, diff_dst);
    if (diff_bias)
      return kernel(describe_backward<Backward>(
          attributes(), hint, src->desc, diff_weights->desc, diff_bias->desc, diff_dst->desc));
    return kernel(
        describe_backward<Backward>(attributes(), hint, src->desc, diff_weights->desc, diff_dst->desc));
  });
}

static algorithm pool_algorithm(odn_pool pool) {
  return pool == ODN_POOL_MAX ? algorithm::pooling_max : algorithm::pooling_avg_include_padding;
}

static dnnl::pooling_forward::primitive_desc pool_forward(
    prop_kind kind, odn_pool pool, const memory::desc &src, const memory::desc &dst, const odn_window *window) {
  const auto stride = pair(window->stride), extent = pair(window->kernel), padding = pair(window->padding);
#if DNNL_VERSION_MAJOR >= 3
  const memory::dims dilation{0, 0};
  return describe<dnnl::pooling_forward>(
      attributes(), kind, pool_algorithm(pool), src, dst, stride, extent, dilation, padding, padding);
#else
  return describe<dnnl::pooling_forward>(
      attributes(), kind, pool_algorithm(pool), src, dst, stride, extent, padding, padding);
#endif
}

odn_kernel *odn_pool_forward(
    odn_mode mode, odn_pool pool, const odn_layout *src, const odn_layout *dst, const odn_window *window) {
  ODN_KERNEL({ return kernel(pool_forward(forward_kind(mode), pool, src->desc, dst->desc, window)); });
}

odn_kernel *odn_pool_backward(
    odn_pool pool, const odn_layout *diff_src, const odn_layout *diff_dst, const odn_window *window) {
  ODN_KERNEL({
    // Forward and backward tensors share their layouts, so these two also describe the forward kernel.
    const auto hint = pool_forward(prop_kind::forward_training, pool, diff_src->desc, diff_dst->desc, window);
    const auto stride = pair(window->stride), extent = pair(window->kernel), padding = pair(window->padding);
#if DNNL_VERSION_MAJOR >= 3
    const memory::dims dilation{0, 0};
    return kernel(describe_backward<dnnl::pooling_backward>(
        attributes(), hint, pool_algorithm(pool), diff_src->desc, diff_dst->desc, stride, extent, dilation, padding,
        padding));
#else
    return kernel(describe_backward<dnnl::pooling_backward>(
        attributes(), hint, pool_algorithm(pool), diff_src->desc, diff_dst->desc, stride, extent, padding, padding));
#endif
  });
}

static dnnl::batch_normalization_forward::primitive_desc batch_norm_forward(
    prop_kind kind, const memory::desc &src, float epsilon) {
  using dnnl::normalization_flags;
  auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
  if (kind == prop_kind::forward_inference) flags = flags | normalization_flags::use_global_stats;
#if DNNL_VERSION_MAJOR >= 3
  return describe<dnnl::batch_normalization_forward>(attributes(), kind, src, src, epsilon, flags);
#else
  return describe<dnnl::batch_normalization_forward>(attributes(), kind, src, epsilon, flags);
#endif
}

odn_kernel *odn_batch_norm_forward(odn_mode mode, const odn_layout *src, float epsilon) {
  ODN_KERNEL({ return kernel(batch_norm_forward(forward_kind(mode), src->desc, epsilon)); });
}

odn_kernel *odn_batch_norm_backward(const odn_layout *src, const odn_layout *diff, float epsilon) {
  ODN_KERNEL({
    using dnnl::normalization_flags;
    const auto hint = batch_norm_forward(prop_kind::forward_training, src->desc, epsilon);
    const auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
#if DNNL_VERSION_MAJOR >= 3
    auto *result = kernel(describe_backward<dnnl::batch_normalization_backward>(
        attributes(), hint, prop_kind::backward, diff->desc, diff->desc, src->desc, epsilon, flags));
    // No gradient depends on it. Version 2 counts it all the same.
    result->refused = ODN_SHIFT;
    return result;
#else
    return kernel(describe_backward<dnnl::batch_normalization_backward>(
        attributes(), hint, prop_kind::backward, diff->desc, src->desc, epsilon, flags));
#endif
  });
}

/// What a rectifier cuts off at; not looked at by a plain ReLU, which has no such bound.
static float upper_bound(odn_rectifier rectifier) { return rectifier == ODN_RELU6 ? 6.f : 0.f; }

static dnnl::eltwise_forward::primitive_desc relu_forward(
    prop_kind kind, algorithm rectification, const memory::desc &desc, float bound) {
#if DNNL_VERSION_MAJOR >= 3
  return describe<dnnl::eltwise_forward>(attributes(), kind, rectification, desc, desc, 0.f, bound);
#else
  return describe<dnnl::eltwise_forward>(attributes(), kind, rectification, desc, 0.f, bound);
#endif
}

odn_kernel *odn_relu_forward(odn_mode mode, odn_rectifier rectifier, const odn_layout *layout) {
  ODN_KERNEL({
    const auto rectification = rectifier == ODN_RELU6 ? algorithm::eltwise_clip_v2 : algorithm::eltwise_relu;
    return kernel(relu_forward(forward_kind(mode), rectification, layout->desc, upper_bound(rectifier)));
  });
}

odn_kernel *odn_relu_backward(odn_rectifier rectifier, const odn_layout *dst, const odn_layout *diff) {
  ODN_KERNEL({
    const auto from_result = rectifier == ODN_RELU6 ? algorithm::eltwise_clip_v2_use_dst_for_bwd
                                                    : algorithm::eltwise_relu_use_dst_for_bwd;
    const float bound = upper_bound(rectifier);
    const auto hint = relu_forward(prop_kind::forward_training, from_result, dst->desc, bound);
#if DNNL_VERSION_MAJOR >= 3
    return kernel(describe_backward<dnnl::eltwise_backward>(
        attributes(), hint, from_result, diff->desc, diff->desc, dst->desc, 0.f, bound));
#else
    return kernel(describe_backward<dnnl::eltwise_backward>(
        attributes(), hint, from_result, diff->desc, dst->desc, 0.f, bound));
#endif
  });
}

odn_kernel *odn_add(const odn_layout *src, const odn_layout *src_1, const odn_layout *dst) {
  ODN_KERNEL({
    return kernel(
        describe<dnnl::binary>(attributes(), algorithm::binary_add, src->desc, src_1->desc, dst->desc));
  });
}

odn_kernel *odn_concatenate(int count, const odn_layout *const *src, const odn_layout *dst) {
  ODN_KERNEL({
    std::vector<memory::desc> sources;
    for (int i = 0; i < count; ++i) sources.push_back(src[i]->desc);
    using Description = dnnl::concat::primitive_desc;
#if DNNL_VERSION_MAJOR >= 3
    return kernel(dst ? Description(engine(), dst->desc, 1, sources, attributes())
                      : Description(engine(), 1, sources, attributes()));
#else
    return kernel(dst ? Description(dst->desc, 1, sources, engine(), attributes())
                      : Description(1, sources, engine(), attributes()));
#endif
  });
}

odn_kernel *odn_shuffle(const odn_layout *layout, int channels, int groups) {
  ODN_KERNEL({
    // The library counts the channels of a group, not the groups.
    const int size = channels / groups;
#if DNNL_VERSION_MAJOR >= 3
    return kernel(describe<dnnl::shuffle_forward>(
        attributes(), prop_kind::forward_training, layout->desc, layout->desc, 1, size));
#else
    // Unlike all others it takes the engine before the attributes.
    const dnnl::shuffle_forward::desc description(prop_kind::forward_training, layout->desc, 1, size);
    return kernel(dnnl::shuffle_forward::primitive_desc(description, engine(), attributes()));
#endif
  });
}

odn_kernel *odn_reorder(const odn_layout *src, const odn_layout *dst) {
  ODN_KERNEL({
    auto *result =
        kernel(dnnl::reorder::primitive_desc(engine(), src->desc, engine(), dst->desc, attributes()));
    result->is_reorder = true;
    return result;
  });
}
