// C boundary of the eigensolvers: argument checks, no arithmetic.
#include <cstdlib>
#include <cstring>

#include "api/arguments.hpp"
#include "core/linearization.hpp"
#include "spectral/eigsh.hpp"
#include "spectral/lanczos.hpp"

using namespace kpflow;

namespace {

struct Source {
  kpflow_linearization* linearization;
  int32_t op;
  kpflow_matvec matvec;
  void* user;
};

void check(const Source& source, const kpflow_context& context, int32_t dtype, int64_t n) {
  if (source.matvec != nullptr) return;
  KPFLOW_REQUIRE(source.linearization != nullptr, "operator: expected a callback or a linearization, got neither");
  KPFLOW_REQUIRE(source.linearization->complete, "linearization: its last run failed; run it again");
  KPFLOW_REQUIRE(source.op == KPFLOW_K || source.op == KPFLOW_NTK, "operator: expected K or NTK, got %d", source.op);
  const kpflow_linearization& owner = *source.linearization;
  KPFLOW_REQUIRE(owner.dtype() == dtype && owner.trials() * owner.steps() * owner.units() == n,
                 "operator: its dtype or size differ from those asked for");
  KPFLOW_REQUIRE(owner.context.device == context.device, "operator: expected one on the context's device");
}

bool apply(const Source& source, const void* x, void* y) {
  if (source.matvec != nullptr) return source.matvec(source.user, x, y) == 0;
  std::lock_guard<std::mutex> lock(source.linearization->context.mutex);
  source.linearization->apply(source.op, 0, false, 1, x, y, Progress(nullptr));
  return true;
}

template <class T>
void solve_by_arpack(const Source& source, int64_t n, const kpflow_eigsh_options& options, void* start, double* values,
                     void* vectors, double* residuals, kpflow_eigsh_info* info, const Progress& progress) {
  eigsh<T>(
      n, [&](const T* x, T* y) { return apply(source, x, y); }, options, static_cast<T*>(start), values,
      static_cast<T*>(vectors), residuals, info, progress);
}

// ARPACK sees the CPU's memory only. KPFLOW_EIGSH=lanczos in the environment does without it there too.
bool uses_arpack(const kpflow_context& context) {
  const char* wish = std::getenv("KPFLOW_EIGSH");
  return context.device == KPFLOW_CPU && !(wish != nullptr && std::strcmp(wish, "lanczos") == 0);
}

}  // namespace

extern "C" int32_t kpflow_eigsh(kpflow_context* context, int32_t dtype, int64_t n, kpflow_linearization* linearization,
                                int32_t op, kpflow_matvec matvec, void* user, const kpflow_eigsh_options* options,
                                void* start, double* values, void* vectors, double* residuals, kpflow_eigsh_info* info,
                                kpflow_monitor* monitor) {
  return guarded([&] {
    KPFLOW_REQUIRE(options != nullptr && start != nullptr && values != nullptr && vectors != nullptr &&
                       residuals != nullptr && info != nullptr,
                   "options, start or outputs: got NULL");
    require_context(context);
    require_dtype(dtype);
    *info = kpflow_eigsh_info{0, 0, 0};
    check_eigsh(n, *options);
    require_array(*context, "start", start, n);
    require_array(*context, "vectors", vectors, checked_product(options->modes, n));
    const Source source{linearization, op, matvec, user};
    check(source, *context, dtype, n);
    const Progress progress(monitor);
    if (!uses_arpack(*context)) {
      lanczos(
          *context, dtype, n, [&](const void* x, void* y) { return apply(source, x, y); }, *options, start, values,
          vectors, residuals, info, progress);
    } else if (dtype == KPFLOW_F32) {
      solve_by_arpack<float>(source, n, *options, start, values, vectors, residuals, info, progress);
    } else {
      solve_by_arpack<double>(source, n, *options, start, values, vectors, residuals, info, progress);
    }
  });
}
