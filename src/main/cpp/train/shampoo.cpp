// Shampoo's preconditioners (Gupta, Koren and Singer 2018): L = epsilon I + sum G G^T, R = epsilon I + sum G^T G, and the step
// L^(-1/4) G R^(-1/4). All of it is in f64, whatever the type of G: the eigenvalues span more orders than f32 resolves.
#include <algorithm>
#include <cmath>

#include "linalg/arrays.hpp"
#include "linalg/dense.hpp"
#include "train/optimizers.hpp"

namespace kpflow {

namespace {

// G in f64, in the first part of the workspace, and room for `more` numbers after it.
template <class T>
double* widened(kpflow_context& context, int64_t count, const T* gradient, int64_t more) {
  double* wide = static_cast<double*>(
      context.workspace.reserve(checked_product(count + more, static_cast<int64_t>(sizeof(double)))));
  std::copy_n(gradient, count, wide);
  return wide;
}

}  // namespace

template <class T>
void shampoo_accumulate(kpflow_context& context, int64_t m, int64_t n, const T* gradient, double* left, double* right) {
  const double* g = widened(context, m * n, gradient, 0);
  parallel_gemm(context.pool, false, true, m, m, n, 1.0, g, g, 1.0, left);
  if (right != nullptr) parallel_gemm(context.pool, true, false, n, n, m, 1.0, g, g, 1.0, right);
}

template <class T>
void shampoo_step(kpflow_context& context, int64_t m, int64_t n, double rate, const double* left, const T* gradient,
                  const double* right, T* theta) {
  const int64_t count = m * n;
  double* g = widened(context, count, gradient, count);
  double* product = g + count;
  parallel_gemm(context.pool, false, false, m, n, m, 1.0, left, g, 0.0, product);
  if (right != nullptr) {
    parallel_gemm(context.pool, false, false, m, n, n, 1.0, product, right, 0.0, g);
    std::swap(g, product);
  }
  for (int64_t i = 0; i < count; ++i) theta[i] = static_cast<T>(theta[i] - rate * product[i]);
}

// With A = V^T diag(values) V, rows of V the eigenvectors: out = V^T diag(values^(-1/root)) V, as a product of the rows of V scaled
// by values^(-1/(2 root)) with themselves, so that it is symmetric.
void inverse_root(kpflow_context& context, int64_t n, const double* a, int32_t root, double floor, double* out) {
  double* vectors = widened(context, n * n, a, n);
  double* values = vectors + n * n;
  symmetric_eigen(n, vectors, values, true);
  for (int64_t i = 0; i < n; ++i) {
    const double scale = std::pow(std::max(values[i], floor), -0.5 / root);
    for (int64_t j = 0; j < n; ++j) vectors[i * n + j] *= scale;
  }
  parallel_gemm(context.pool, true, false, n, n, n, 1.0, vectors, vectors, 0.0, out);
}

#define KPFLOW_SHAMPOO(T)                                                                             \
  template void shampoo_accumulate<T>(kpflow_context&, int64_t, int64_t, const T*, double*, double*); \
  template void shampoo_step<T>(kpflow_context&, int64_t, int64_t, double, const double*, const T*, const double*, T*);
KPFLOW_SHAMPOO(float)
KPFLOW_SHAMPOO(double)
#undef KPFLOW_SHAMPOO

}  // namespace kpflow
