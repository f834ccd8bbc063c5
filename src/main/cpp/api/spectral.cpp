// C boundary of the eigensolvers: argument checks, no arithmetic.
#include "api/arguments.hpp"
#include "core/linearization.hpp"
#include "spectral/eigsh.hpp"

using namespace kpflow;

namespace {

struct Source {
  kpflow_linearization* linearization;
  int32_t op;
  kpflow_matvec matvec;
  void* user;
};

void check(const Source& source, int32_t dtype, int64_t n) {
  if (source.matvec != nullptr) return;
  KPFLOW_REQUIRE(source.linearization != nullptr, "operator: expected a callback or a linearization, got neither");
  KPFLOW_REQUIRE(source.linearization->complete, "linearization: its last run failed; run it again");
  KPFLOW_REQUIRE(source.op == KPFLOW_K || source.op == KPFLOW_NTK, "operator: expected K or NTK, got %d", source.op);
  const kpflow_linearization& owner = *source.linearization;
  KPFLOW_REQUIRE(owner.dtype() == dtype && owner.trials() * owner.steps() * owner.units() == n,
                 "operator: its dtype or size differ from those asked for");
}

template <class T>
void solve(const Source& source, int64_t n, const kpflow_eigsh_options& options, void* start, double* values,
           void* vectors, double* residuals, kpflow_eigsh_info* info, const Progress& progress) {
  const Apply<T> apply = [&](const T* x, T* y) {
    if (source.matvec != nullptr) return source.matvec(source.user, x, y) == 0;
    std::lock_guard<std::mutex> lock(source.linearization->context.mutex);
    source.linearization->apply(source.op, 0, false, 1, x, y, Progress(nullptr));
    return true;
  };
  eigsh<T>(n, apply, options, static_cast<T*>(start), values, static_cast<T*>(vectors), residuals, info, progress);
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
    *info = kpflow_eigsh_info{0, 0, 0};
    const Source source{linearization, op, matvec, user};
    check(source, dtype, n);
    const Progress progress(monitor);
    if (dtype == KPFLOW_F32) {
      solve<float>(source, n, *options, start, values, vectors, residuals, info, progress);
    } else if (dtype == KPFLOW_F64) {
      solve<double>(source, n, *options, start, values, vectors, residuals, info, progress);
    } else {
      fail(KPFLOW_INVALID_ARGUMENT, "dtype: expected 1 (f32) or 2 (f64), got %d", dtype);
    }
  });
}
