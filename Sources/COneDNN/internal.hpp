// What the parts of the shim share.
#ifndef ODN_INTERNAL_HPP
#define ODN_INTERNAL_HPP
#include <any>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "include/onednn_shim.h"
#include "oneapi/dnnl/dnnl.hpp"

struct odn_layout {
  dnnl::memory::desc desc;
};

struct odn_kernel {
  /// The typed primitive descriptor: the hint that a backward kernel's descriptor needs.
  std::any typed;
  dnnl::primitive_desc_base description;
  dnnl::primitive primitive;
  std::vector<dnnl_exec_arg_t> arguments;
  /// Keeps the memory objects of `arguments` alive.
  std::vector<dnnl::memory> memories;
  /// Reorders are made from two layouts, all others from their description.
  bool is_reorder = false;
  /// An argument of ours that this version's kernel refuses, if any.
  int refused = -1;
};

namespace odn {

dnnl::engine &engine();
dnnl::stream &stream();
void fail(const std::string &what);

/// Runs `body`; an exception becomes `failed` and the thread's last error.
template <typename Result, typename Body>
Result guarded(Result failed, Body body) {
  try {
    return body();
  } catch (const dnnl::error &error) {
    fail(std::string("oneDNN: ") + error.what());
  } catch (const std::exception &error) {
    fail(error.what());
  }
  return failed;
}

/// The attributes of every kernel: scratch memory is ours, so that it lies in the arena and a step allocates nothing.
inline dnnl::primitive_attr attributes(bool relu = false) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
// Before 3.4 there was nothing to ask for.
#if DNNL_VERSION_MAJOR > 3 || (DNNL_VERSION_MAJOR == 3 && DNNL_VERSION_MINOR >= 4)
  attr.set_deterministic(true);
#endif
  if (relu) {
    dnnl::post_ops operations;
#if DNNL_VERSION_MAJOR >= 3
    operations.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#else
    operations.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#endif
    attr.set_post_ops(operations);
  }
  return attr;
}

/// A primitive descriptor from its description: `desc` then `primitive_desc` in 2.x, one step in 3.x.
template <typename Primitive, typename... Description>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr &attr, Description &&...description) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), std::forward<Description>(description)..., attr);
#else
  return typename Primitive::primitive_desc(
      typename Primitive::desc(std::forward<Description>(description)...), attr, engine());
#endif
}

/// The same for a backward kernel, which needs the forward one as a hint.
template <typename Primitive, typename Hint, typename... Description>
typename Primitive::primitive_desc describe_backward(
    const dnnl::primitive_attr &attr, const Hint &hint, Description &&...description) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), std::forward<Description>(description)..., hint, attr);
#else
  return typename Primitive::primitive_desc(
      typename Primitive::desc(std::forward<Description>(description)...), attr, engine(), hint);
#endif
}

template <typename Description>
odn_kernel *kernel(Description description) {
  auto *result = new odn_kernel;
  result->description = description;
  result->typed = std::move(description);
  return result;
}

inline dnnl::memory::dims pair(const int64_t (&values)[2]) { return {values[0], values[1]}; }

inline dnnl::prop_kind forward_kind(odn_mode mode) {
  return mode == ODN_TRAINING ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
}

inline dnnl::memory::data_type type_of(const dnnl::memory::desc &desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_data_type();
#else
  return desc.data_type();
#endif
}

/// The extents of one layout, and the elements of another.
inline dnnl::memory::desc any_like(const odn_layout *layout, const odn_layout *elements) {
#if DNNL_VERSION_MAJOR >= 3
  auto dims = layout->desc.get_dims();
#else
  auto dims = layout->desc.dims();
#endif
  return dnnl::memory::desc(dims, type_of(elements->desc), dnnl::memory::format_tag::any);
}

}  // namespace odn
#endif
