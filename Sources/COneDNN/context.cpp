// The process's engine, each thread's stream and team, and what the library is.
#include <dlfcn.h>

#include "internal.hpp"

namespace odn {

static thread_local std::string last_error;

void fail(const std::string &what) { last_error = what; }

dnnl::engine &engine() {
  static dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream &stream() {
  static thread_local dnnl::stream instance(engine());
  return instance;
}

}  // namespace odn

const char *odn_last_error(void) { return odn::last_error.c_str(); }

static std::string version_text(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

const char *odn_version(void) {
  static const std::string text = [] {
    const dnnl_version_t *version = dnnl_version();
    return version_text(version->major, version->minor, version->patch);
  }();
  return text.c_str();
}

const char *odn_header_version(void) {
  static const std::string text = version_text(DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH);
  return text.c_str();
}

const char *odn_instruction_set(void) {
  switch (static_cast<int>(dnnl_get_effective_cpu_isa())) {
    case 0: return "all";
    case dnnl_cpu_isa_sse41: return "SSE4.1";
    case dnnl_cpu_isa_avx: return "AVX";
    case dnnl_cpu_isa_avx2: return "AVX2";
    case dnnl_cpu_isa_avx2_vnni: return "AVX2-VNNI";
    case dnnl_cpu_isa_avx512_core: return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni: return "AVX-512-VNNI";
    case dnnl_cpu_isa_avx512_core_bf16: return "AVX-512-BF16";
    case dnnl_cpu_isa_avx512_core_amx: return "AVX-512-AMX";
#if DNNL_VERSION_MAJOR >= 3
    case dnnl_cpu_isa_avx2_vnni_2: return "AVX2-VNNI-2";
    case dnnl_cpu_isa_avx512_core_fp16: return "AVX-512-FP16";
    case dnnl_cpu_isa_avx512_core_amx_fp16: return "AVX-512-AMX-FP16";
#endif
    default: {
      static const std::string text = "0x" + [] {
        char digits[16];
        snprintf(digits, sizeof digits, "%x", static_cast<unsigned>(dnnl_get_effective_cpu_isa()));
        return std::string(digits);
      }();
      return text.c_str();
    }
  }
}

int odn_has_bfloat16(void) {
  // What the library itself asks before it offers any: 16-bit lanes, with or without instructions for the type.
  const int isa = static_cast<int>(dnnl_get_effective_cpu_isa());
  return isa == 0 || (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

// The OpenMP runtime is the one that oneDNN was built with; it is asked by name so that we need none of our own.
template <typename Function>
static Function openmp(const char *name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

void odn_set_threads(int threads) {
  if (auto set = openmp<void (*)(int)>("omp_set_num_threads")) set(threads);
  // Teams of another size than asked for would give other bits.
  if (auto set = openmp<void (*)(int)>("omp_set_dynamic")) set(0);
}

int odn_threads(void) {
  auto get = openmp<int (*)(void)>("omp_get_max_threads");
  return get ? get() : 1;
}

namespace {
struct Team {
  void (*body)(void *, int);
  void *context;
  int parts;
  int (*thread)(void);
  int (*threads)(void);
};
}  // namespace

void odn_team(void (*body)(void *context, int part), void *context, int parts) {
  // What a compiler makes of `#pragma omp parallel`; runtimes of other makers have it too.
  static const auto parallel = openmp<void (*)(void (*)(void *), void *, unsigned, unsigned)>("GOMP_parallel");
  static const auto thread = openmp<int (*)(void)>("omp_get_thread_num");
  static const auto threads = openmp<int (*)(void)>("omp_get_num_threads");
  if (!parallel || !thread || !threads) {
    for (int part = 0; part < parts; ++part) body(context, part);
    return;
  }
  Team team{body, context, parts, thread, threads};
  parallel(
      [](void *pointer) {
        const Team &team = *static_cast<Team *>(pointer);
        // A runtime may give fewer threads than asked for.
        for (int part = team.thread(); part < team.parts; part += team.threads()) team.body(team.context, part);
      },
      &team, static_cast<unsigned>(parts), 0);
}
