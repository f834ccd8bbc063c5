#include <vector>

#include "linalg/arrays.cuh"
#include "linalg/gemm.cuh"
#include "linalg/sums.cuh"

namespace kpflow::cuda {

namespace {

// Sixteen bytes, which a thread reads and writes at once.
template <class T>
struct alignas(16) Pack {
  static constexpr int64_t kCount = 16 / static_cast<int64_t>(sizeof(T));
  T of[kCount];
};

bool aligned(const void* array) { return reinterpret_cast<uintptr_t>(array) % 16 == 0; }

template <class T>
void axpby_elements(Context& context, int64_t count, T alpha, const T* x, T beta, T* y) {
  for_each(context.stream, count,
           [=] __device__(int64_t i) { y[i] = beta == T(0) ? alpha * x[i] : alpha * x[i] + beta * y[i]; });
}

}  // namespace

// Limited by memory: 16-byte accesses where the arrays allow them.
template <class T>
void axpby(Context& context, int64_t count, double alpha, const T* x, double beta, T* y) {
  const T a = static_cast<T>(alpha), b = static_cast<T>(beta);
  const int64_t packs = aligned(x) && aligned(y) ? count / Pack<T>::kCount : 0, done = packs * Pack<T>::kCount;
  const auto* from = reinterpret_cast<const Pack<T>*>(x);
  auto* to = reinterpret_cast<Pack<T>*>(y);
  for_each(context.stream, packs, [=] __device__(int64_t i) {
    const Pack<T> in = from[i];
    Pack<T> result;
    if (b == T(0)) {
      for (int64_t e = 0; e < Pack<T>::kCount; ++e) result.of[e] = a * in.of[e];
    } else {
      const Pack<T> old = to[i];
      for (int64_t e = 0; e < Pack<T>::kCount; ++e) result.of[e] = a * in.of[e] + b * old.of[e];
    }
    to[i] = result;
  });
  axpby_elements(context, count - done, a, x + done, b, y + done);
}

template <class T>
void dot(Context& context, int64_t rows, int64_t columns, const T* x, const T* y, double* out) {
  double* sums = context.scratch<double>(Scratch::kSmall, rows);
  row_dots(context, rows, columns, x, columns, y, columns, sums);
  context.copy_out(out, sums, rows);
}

template <class T>
void row_products(Context& context, int64_t m, int64_t s, int64_t n, const T* x, const T* y, double* out) {
  double* sums = context.scratch<double>(Scratch::kSmall, m * s);
  row_products_on_device(context, m, s, n, x, y, sums);
  context.copy_out(out, sums, m * s);
}

// A panel of columns at a time is combined in scratch memory and copied back.
template <class T>
void combine_rows(Context& context, int64_t k, int64_t m, int64_t n, const double* coefficients, T* x) {
  constexpr int64_t kMostElements = int64_t(1) << 25, kLeast = 1024;
  if (k == 0 || n == 0) return;
  const std::vector<T> rounded(coefficients, coefficients + k * m);
  T* factors = context.scratch<T>(Scratch::kSmall, k * m);
  context.copy_in_now(factors, rounded);
  const int64_t panel = std::min(n, std::max(kMostElements / k / kLeast * kLeast, kLeast));
  T* combined = context.scratch<T>(Scratch::kSpare, k * panel);
  for (int64_t first = 0; first < n; first += panel) {
    const int64_t width = std::min(panel, n - first);
    multiply<T>(context, {false, false, k, width, m, T(1), factors, m, x + first, n, T(0), combined, width});
    for_each(context.stream, k * width,
             [=] __device__(int64_t i) { x[i / width * n + first + i % width] = combined[i]; });
  }
}

#define KPFLOW_ARRAYS(T)                                                                           \
  template void axpby<T>(Context&, int64_t, double, const T*, double, T*);                         \
  template void dot<T>(Context&, int64_t, int64_t, const T*, const T*, double*);                   \
  template void row_products<T>(Context&, int64_t, int64_t, int64_t, const T*, const T*, double*); \
  template void combine_rows<T>(Context&, int64_t, int64_t, int64_t, const double*, T*);
KPFLOW_ARRAYS(float)
KPFLOW_ARRAYS(double)
#undef KPFLOW_ARRAYS

}  // namespace kpflow::cuda
