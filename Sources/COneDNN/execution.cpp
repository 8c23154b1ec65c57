// From a kernel's description to its runs.
#include "internal.hpp"

using namespace odn;

static int dnnl_argument(const odn_kernel *kernel, int argument) {
  switch (argument) {
    case ODN_SRC: return kernel->is_reorder ? DNNL_ARG_FROM : DNNL_ARG_SRC_0;
    case ODN_SRC_1: return DNNL_ARG_SRC_1;
    case ODN_DST: return kernel->is_reorder ? DNNL_ARG_TO : DNNL_ARG_DST;
    case ODN_WEIGHTS: return DNNL_ARG_WEIGHTS;
    case ODN_BIAS: return DNNL_ARG_BIAS;
    case ODN_MEAN: return DNNL_ARG_MEAN;
    case ODN_VARIANCE: return DNNL_ARG_VARIANCE;
    case ODN_SCALE: return DNNL_ARG_SCALE;
    case ODN_SHIFT: return DNNL_ARG_SHIFT;
    case ODN_DIFF_SRC: return DNNL_ARG_DIFF_SRC;
    case ODN_DIFF_DST: return DNNL_ARG_DIFF_DST;
    case ODN_DIFF_WEIGHTS: return DNNL_ARG_DIFF_WEIGHTS;
    case ODN_DIFF_BIAS: return DNNL_ARG_DIFF_BIAS;
    case ODN_DIFF_SCALE: return DNNL_ARG_DIFF_SCALE;
    case ODN_DIFF_SHIFT: return DNNL_ARG_DIFF_SHIFT;
    case ODN_WORKSPACE: return DNNL_ARG_WORKSPACE;
    case ODN_SCRATCHPAD: return DNNL_ARG_SCRATCHPAD;
    default: return DNNL_ARG_MULTIPLE_SRC + (argument - ODN_MULTIPLE_SRC);
  }
}

static dnnl::memory::desc wanted(const odn_kernel *kernel, int argument) {
  return kernel->description.query_md(dnnl::query::exec_arg_md, dnnl_argument(kernel, argument));
}

void odn_kernel_free(odn_kernel *kernel) { delete kernel; }

const char *odn_kernel_name(const odn_kernel *kernel) {
  const char *name = nullptr;
  dnnl_primitive_desc_query(kernel->description.get(), dnnl_query_impl_info_str, 0, &name);
  return name ? name : "";
}

odn_layout *odn_kernel_layout(const odn_kernel *kernel, int argument) {
  return guarded<odn_layout *>(nullptr, [&] { return new odn_layout{wanted(kernel, argument)}; });
}

int odn_kernel_build(odn_kernel *kernel) {
  return guarded<int>(1, [&] {
    dnnl_primitive_t primitive = nullptr;
    dnnl::error::wrap_c_api(
        dnnl_primitive_create(&primitive, kernel->description.get()), "could not create a primitive");
    kernel->primitive = dnnl::primitive();
    kernel->primitive.reset(primitive);
    return 0;
  });
}

int odn_kernel_bind(odn_kernel *kernel, int argument, void *memory) {
  if (argument == kernel->refused) return 0;
  return guarded<int>(1, [&] {
    const int name = dnnl_argument(kernel, argument);
    for (size_t i = 0; i < kernel->arguments.size(); ++i)
      if (kernel->arguments[i].arg == name) {
        if (kernel->memories[i].get_data_handle() != memory) kernel->memories[i].set_data_handle(memory);
        return 0;
      }
    kernel->memories.emplace_back(wanted(kernel, argument), engine(), memory);
    kernel->arguments.push_back({name, kernel->memories.back().get()});
    return 0;
  });
}

int odn_kernel_run(odn_kernel *kernel) {
  const dnnl_status_t status = dnnl_primitive_execute(
      kernel->primitive.get(), stream().get(), static_cast<int>(kernel->arguments.size()), kernel->arguments.data());
  if (status == dnnl_success) return 0;
  fail(std::string("oneDNN: kernel ") + odn_kernel_name(kernel) + " failed with status " + std::to_string(status));
  return 1;
}
