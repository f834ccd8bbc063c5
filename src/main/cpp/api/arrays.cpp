// C boundary of buffers, contexts, array primitives and dense factorizations: argument checks, no arithmetic.
#include <cblas.h>

#include <string>

#include "api/arguments.hpp"
#include "core/system.hpp"
#include "linalg/dense.hpp"

using namespace kpflow;

namespace {

// OpenBLAS's own threads would spin inside ours, and its results would depend on their number.
__attribute__((constructor)) void use_one_blas_thread() { openblas_set_num_threads(1); }

constexpr int32_t kMostThreads = 256;  // OpenBLAS has a fixed table of buffers

// Largest offset that strides reach over a shape; strides must not be negative.
int64_t reach(int32_t axes, const int64_t* shape, const int64_t* strides) {
  int64_t last = 0;
  for (int32_t axis = 0; axis < axes; ++axis) {
    KPFLOW_REQUIRE(shape[axis] >= 0 && strides[axis] >= 0, "strides: expected sizes and strides of at least 0");
    if (shape[axis] == 0) return -1;
    KPFLOW_REQUIRE(!__builtin_add_overflow(last, checked_product(shape[axis] - 1, strides[axis]), &last),
                   "strides: the largest offset overflows");
  }
  return last;
}

// Sizes and ranges of a matrix of unit columns; the arrays of its products have s rows.
UnitColumnsArguments unit_columns(const kpflow_context& context, int64_t s, int64_t rows, int64_t layers,
                                  int64_t components, int64_t units, int64_t total, const int64_t* first,
                                  const int64_t* count, const void* columns, const void* z, const void* state) {
  KPFLOW_REQUIRE(first != nullptr && count != nullptr && layers >= 1 && units >= 1,
                 "units: expected at least one and their columns");
  const int64_t size = checked_product(rows, components);
  KPFLOW_REQUIRE(size <= INT32_MAX && total <= INT32_MAX, "columns: expected sizes below 2^31");
  require_array(context, "columns", columns, checked_product(total, size));
  require_array(context, "z", z, checked_product(s, total));
  require_array(context, "state", state, checked_product(s, checked_product(size, checked_product(layers, units))));
  for (int64_t u = 0; u < layers * units; ++u) {
    KPFLOW_REQUIRE(first[u] >= 0 && count[u] >= 0 && first[u] <= total - count[u],
                   "unit %lld: its columns are not among the %lld", static_cast<long long>(u),
                   static_cast<long long>(total));
  }
  return {rows, layers, components, units, total, first, count, columns};
}

}  // namespace

extern "C" {

const char* kpflow_build_info(void) {
  static const std::string info = [] {
    std::string text = "kpflow 0.1.0, g++ " __VERSION__ ", ";
    text += openblas_get_config();
    text += ", GEMM kernel ";
    text += openblas_get_corename();
#if defined(__x86_64__)
    __builtin_cpu_init();
    text += __builtin_cpu_supports("avx512f") ? ", own kernels AVX-512"
            : __builtin_cpu_supports("avx2")  ? ", own kernels AVX2"
                                              : ", own kernels SSE2";
#endif
    return text;
  }();
  return info.c_str();
}

int32_t kpflow_context_create(int32_t device, int32_t threads, kpflow_context** out) {
  return guarded([&] {
    KPFLOW_REQUIRE(out != nullptr, "out: got NULL");
    KPFLOW_REQUIRE(threads >= 1 && threads <= kMostThreads, "threads: expected 1 to %d, got %d", kMostThreads, threads);
    Device& found = find_device(device);
    auto context = std::make_unique<kpflow_context>(threads);
    context->device = device;
    context->kernels = found.kernels(*context);
    *out = context.release();
  });
}

void kpflow_context_destroy(kpflow_context* context) { delete context; }

int32_t kpflow_available_cores(void) { return available_cores(); }

const char* kpflow_device_info(int32_t device) {
  static thread_local std::string text;
  return guarded([&] { text = find_device(device).describe(); }) == KPFLOW_OK ? text.c_str() : nullptr;
}

void kpflow_set_cuda_library(const char* path) {
  guarded([&] { set_cuda_library(path); });
}

int64_t kpflow_available_memory(int32_t device) {
  int64_t bytes = -1;
  guarded([&] { bytes = find_device(device).available_memory(); });
  return bytes;
}

void* kpflow_buffer_allocate(int32_t device, int64_t bytes) {
  void* buffer = nullptr;
  guarded([&] {
    KPFLOW_REQUIRE(bytes >= 0 && bytes <= INT64_MAX - kAlignment, "bytes: expected at least 0, got %lld",
                   static_cast<long long>(bytes));
    buffer = find_device(device).allocate(bytes);
    if (buffer == nullptr) fail(KPFLOW_OUT_OF_MEMORY, "the system refused %lld bytes", static_cast<long long>(bytes));
  });
  return buffer;
}

void kpflow_buffer_free(int32_t device, void* buffer) {
  if (buffer != nullptr) guarded([&] { find_device(device).free(buffer); });
}

int32_t kpflow_buffer_copy(int32_t device, const void* source, void* target, int64_t bytes) {
  return guarded([&] {
    require_array("source", source, bytes);
    require_array("target", target, bytes);
    if (bytes > 0) find_device(device).copy(source, target, bytes);
  });
}

int32_t kpflow_axpby(kpflow_context* context, int32_t dtype, int64_t count, double alpha, const void* x, double beta,
                     void* y) {
  return on_context(context, [&] {
    require_dtype(dtype);
    require_array(*context, "x", x, count);
    require_array(*context, "y", y, count);
    context->kernels->axpby(dtype, count, alpha, x, beta, y);
  });
}

int32_t kpflow_dot(kpflow_context* context, int32_t dtype, int64_t rows, int64_t columns, const void* x, const void* y,
                   double* out) {
  return on_context(context, [&] {
    require_dtype(dtype);
    const int64_t count = checked_product(rows, columns);
    require_array(*context, "x", x, count);
    require_array(*context, "y", y, count);
    require_array("out", out, rows);
    context->kernels->dot(dtype, rows, columns, x, y, out);
  });
}

int32_t kpflow_gemm(kpflow_context* context, int32_t dtype, int32_t transpose_a, int32_t transpose_b, int64_t m,
                    int64_t n, int64_t k, double alpha, const void* a, const void* b, double beta, void* c) {
  return on_context(context, [&] {
    require_dtype(dtype);
    require_array(*context, "a", a, checked_product(m, k));
    require_array(*context, "b", b, checked_product(k, n));
    require_array(*context, "c", c, checked_product(m, n));
    KPFLOW_REQUIRE(m <= INT32_MAX && n <= INT32_MAX && k <= INT32_MAX, "gemm: expected sizes below 2^31");
    if (m == 0 || n == 0) return;
    context->kernels->gemm(dtype, transpose_a != 0, transpose_b != 0, m, n, k, alpha, a, b, beta, c);
  });
}

int32_t kpflow_row_products(kpflow_context* context, int32_t dtype, int64_t m, int64_t s, int64_t n, const void* x,
                            const void* y, double* out) {
  return on_context(context, [&] {
    require_dtype(dtype);
    require_array(*context, "x", x, checked_product(m, n));
    require_array(*context, "y", y, checked_product(s, n));
    require_array("out", out, checked_product(m, s));
    KPFLOW_REQUIRE(m <= INT32_MAX && s <= INT32_MAX && n <= INT32_MAX, "row products: expected sizes below 2^31");
    if (m == 0 || s == 0) return;
    context->kernels->row_products(dtype, m, s, n, x, y, out);
  });
}

int32_t kpflow_combine_rows(kpflow_context* context, int32_t dtype, int64_t k, int64_t m, int64_t n,
                            const double* coefficients, void* x) {
  return on_context(context, [&] {
    require_dtype(dtype);
    KPFLOW_REQUIRE(k <= m, "combine rows: expected at most %lld, got %lld", static_cast<long long>(m),
                   static_cast<long long>(k));
    require_array("coefficients", coefficients, checked_product(k, m));
    require_array(*context, "x", x, checked_product(m, n));
    KPFLOW_REQUIRE(m <= INT32_MAX && n <= INT32_MAX, "combine rows: expected sizes below 2^31");
    context->kernels->combine_rows(dtype, k, m, n, coefficients, x);
  });
}

int32_t kpflow_strided_axpby(kpflow_context* context, int32_t axes, const int64_t* shape, double alpha, int32_t x_dtype,
                             const void* x, int64_t x_count, const int64_t* x_strides, double beta, int32_t y_dtype,
                             void* y, int64_t y_count, const int64_t* y_strides) {
  return on_device(context, [&] {
    require_dtype(x_dtype);
    require_dtype(y_dtype);
    KPFLOW_REQUIRE(axes >= 0 && axes <= KPFLOW_MAX_AXES, "axes: expected 0 to %d, got %d", KPFLOW_MAX_AXES, axes);
    KPFLOW_REQUIRE(axes == 0 || (shape != nullptr && x_strides != nullptr && y_strides != nullptr),
                   "strides: got NULL");
    require_array(*context, "x", x, x_count);
    require_array(*context, "y", y, y_count);
    const int64_t x_last = reach(axes, shape, x_strides), y_last = reach(axes, shape, y_strides);
    KPFLOW_REQUIRE(x_last < x_count && y_last < y_count, "strides: they leave the arrays");
    if (x_last < 0) return;
    context->kernels->strided_axpby({axes, shape, alpha, x_dtype, x, x_strides, beta, y_dtype, y, y_strides});
  });
}

int32_t kpflow_accumulate_gram(kpflow_context* context, int32_t dtype, int64_t s, int64_t trials, int64_t steps,
                               int64_t units, const void* x, int32_t keep, double alpha, void* out,
                               kpflow_monitor* monitor) {
  return on_context(context, [&] {
    require_dtype(dtype);
    KPFLOW_REQUIRE(keep >= 1 && keep <= 7, "keep: expected a mask of 1 to 7, got %d", keep);
    const int64_t sizes[3] = {trials, steps, units};
    int64_t d = 1;
    for (int axis = 0; axis < 3; ++axis) d = checked_product(d, keep >> axis & 1 ? sizes[axis] : 1);
    KPFLOW_REQUIRE(d <= INT32_MAX, "keep: the kept axes have %lld entries; expected below 2^31",
                   static_cast<long long>(d));
    require_array(*context, "x", x, checked_product(checked_product(s, trials), checked_product(steps, units)));
    require_array(*context, "out", out, checked_product(d, d));
    if (s > 0) context->kernels->accumulate_gram(dtype, s, sizes, x, keep, alpha, out, Progress(monitor));
  });
}

int32_t kpflow_unit_combine(kpflow_context* context, int32_t dtype, int64_t s, int64_t rows, int64_t layers,
                            int64_t components, int64_t units, int64_t total, const int64_t* first,
                            const int64_t* count, const void* columns, double alpha, const void* z, double beta,
                            void* out, kpflow_monitor* monitor) {
  return on_context(context, [&] {
    require_dtype(dtype);
    const UnitColumnsArguments u =
        unit_columns(*context, s, rows, layers, components, units, total, first, count, columns, z, out);
    context->kernels->unit_combine(dtype, u, s, alpha, z, beta, out, Progress(monitor));
  });
}

int32_t kpflow_unit_coefficients(kpflow_context* context, int32_t dtype, int64_t s, int64_t rows, int64_t layers,
                                 int64_t components, int64_t units, int64_t total, const int64_t* first,
                                 const int64_t* count, const void* columns, const void* x, void* z,
                                 kpflow_monitor* monitor) {
  return on_context(context, [&] {
    require_dtype(dtype);
    const UnitColumnsArguments u =
        unit_columns(*context, s, rows, layers, components, units, total, first, count, columns, z, x);
    context->kernels->unit_coefficients(dtype, u, s, x, z, Progress(monitor));
  });
}

int32_t kpflow_fill_random(kpflow_context* context, int32_t dtype, int32_t distribution, uint64_t seed, int64_t offset,
                           int64_t count, void* out) {
  return on_context(context, [&] {
    require_dtype(dtype);
    KPFLOW_REQUIRE(distribution >= KPFLOW_GAUSSIAN && distribution <= KPFLOW_UNIFORM,
                   "distribution: expected 0 to 2, got %d", distribution);
    KPFLOW_REQUIRE(offset >= 0 && count <= INT64_MAX - offset, "offset: expected at least 0, got %lld",
                   static_cast<long long>(offset));
    require_array(*context, "out", out, count);
    context->kernels->fill_random(dtype, distribution, seed, offset, count, out);
  });
}

int32_t kpflow_symmetric_eigen(int64_t n, double* a, double* values, int32_t vectors) {
  return guarded([&] {
    require_array("a", a, checked_product(n, n));
    require_array("values", values, n);
    symmetric_eigen(n, a, values, vectors != 0);
  });
}

int32_t kpflow_svd(int64_t m, int64_t n, double* a, double* values, double* u, double* vt) {
  return guarded([&] {
    require_array("a", a, checked_product(m, n));
    require_array("values", values, m < n ? m : n);
    KPFLOW_REQUIRE((u == nullptr) == (vt == nullptr), "svd: u and vt come together");
    svd(m, n, a, values, u, vt);
  });
}

int32_t kpflow_orthonormalize(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, void* a) {
  return on_device(context, [&] {
    require_dtype(dtype);
    require_array(*context, "a", a, checked_product(m, n));
    context->kernels->orthonormalize(dtype, m, n, a);
  });
}

}  // extern "C"
