#include "recurrent/jacobians.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "linalg/blas.hpp"
#include "linalg/dense.hpp"

namespace kpflow {

template <class T, class Out>
void step_jacobian(const Snapshot<T>& net, int64_t b, int64_t t, Out* out) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, n = shape.state();
  const int m = shape.cell.components, g = shape.cell.gates;
  const T* record = net.record(net.row(b, t));
  std::memset(out, 0, static_cast<size_t>(n * n) * sizeof(Out));
  for (int c = 0; c < m; ++c) {
    for (int d = 0; d < m; ++d) {
      if (d > 0 && !shape.cell.nonlinear_site && !shape.cell.state_path) continue;
      for (int64_t i = 0; i < units; ++i) {
        Out* row = out + (c * units + i) * n + d * units;
        if (shape.cell.nonlinear_site || d == 0) {
          for (int j = 0; j < g; ++j) {
            const Out a = record[shape.record.a(j, c) * units + i];
            const T* weight = net.weight_hh.data() + (j * units + i) * units;
            for (int64_t l = 0; l < units; ++l) {
              const Out slope = shape.cell.nonlinear_site ? Out(record[shape.record.s(d) * units + l]) : Out(1);
              row[l] += a * Out(weight[l]) * slope;
            }
          }
        }
        if (shape.cell.state_path) row[i] += Out(record[shape.record.d(c, d) * units + i]);
      }
    }
  }
}

template <class T>
void lyapunov(const Snapshot<T>& net, kpflow_context& context, int64_t count, double* out, double* smallest,
              const Progress& progress) {
  const int64_t n = net.shape.state();
  double least = std::numeric_limits<double>::infinity();
  std::mutex mutex;
  context.pool.run(net.trials, [&](int64_t b, int) {
    // Rows of basis are the columns of Q, so J Q is basis J^T.
    Array<double> jacobian(n * n), basis(count * n), product(count * n), diagonal(count);
    std::memset(basis.data(), 0, static_cast<size_t>(count * n) * sizeof(double));
    for (int64_t i = 0; i < count; ++i) basis[i * n + i] = 1;
    std::fill_n(out + b * count, count, 0.0);
    double trial_least = std::numeric_limits<double>::infinity();
    for (int64_t t = 0; t < net.steps; ++t) {
      progress.advance(1);
      step_jacobian(net, b, t, jacobian.data());
      gemm(false, true, count, n, n, 1.0, basis.data(), n, jacobian.data(), n, 0.0, product.data(), n);
      std::swap(basis, product);
      orthonormalize(count, n, basis.data(), diagonal.data());
      for (int64_t i = 0; i < count; ++i) {
        const double r = std::fabs(diagonal[i]);
        trial_least = std::min(trial_least, r);
        out[b * count + i] += std::log(r) / static_cast<double>(net.steps);
      }
    }
    std::lock_guard<std::mutex> lock(mutex);
    least = std::min(least, trial_least);
  });
  *smallest = least;
}

template void step_jacobian<float, float>(const Snapshot<float>&, int64_t, int64_t, float*);
template void step_jacobian<double, double>(const Snapshot<double>&, int64_t, int64_t, double*);
template void lyapunov<float>(const Snapshot<float>&, kpflow_context&, int64_t, double*, double*, const Progress&);
template void lyapunov<double>(const Snapshot<double>&, kpflow_context&, int64_t, double*, double*, const Progress&);

}  // namespace kpflow
