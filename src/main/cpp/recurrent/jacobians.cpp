#include "recurrent/jacobians.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "linalg/blas.hpp"
#include "linalg/dense.hpp"

namespace kpflow {

namespace {

// Adds what a layer's own previous state does to its state.
template <class T, class Out>
void add_own(const Snapshot<T>& net, const T* record, Out* out) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, n = net.stride;
  const int m = shape.cell.components, g = shape.cell.gates;
  for (int c = 0; c < m; ++c) {
    for (int d = 0; d < m; ++d) {
      if (d > 0 && !shape.cell.nonlinear_site && !shape.cell.state_path) continue;
      for (int64_t i = 0; i < units; ++i) {
        Out* row = out + (net.begin + c * units + i) * n + net.begin + d * units;
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

// Adds what the previous states of the layers below do to a layer's state, through h of the one right below.
template <class T, class Out>
void add_below(const Snapshot<T>& net, const Snapshot<T>& below, const T* record, Array<Out>& gain, Out* out) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, n = net.stride, rows = shape.state();
  gain.resize(rows * units);  // d h^l / d h^{l-1} at the same step
  std::fill_n(gain.data(), gain.size(), Out(0));
  for (int c = 0; c < shape.cell.components; ++c) {
    for (int j = 0; j < shape.cell.gates; ++j) {
      for (int64_t i = 0; i < units; ++i) {
        const Out slope = record[shape.record.c(j, c) * units + i];
        const T* weight = net.weight_ih.data() + (j * units + i) * units;
        Out* row = gain.data() + (c * units + i) * units;
        for (int64_t l = 0; l < units; ++l) row[l] += slope * Out(weight[l]);
      }
    }
  }
  gemm(false, false, rows, net.begin, units, Out(1), gain.data(), units, out + below.begin * n, n, Out(0),
       out + net.begin * n, n);
}

}  // namespace

template <class T, class Out>
void step_jacobian(const Layers<T>& layers, int64_t b, int64_t t, Array<Out>& gain, Out* out) {
  std::fill_n(out, layers[0].stride * layers[0].stride, Out(0));
  for (size_t l = 0; l < layers.size(); ++l) {
    const T* record = layers[l].record(layers[l].row(b, t));
    add_own(layers[l], record, out);
    if (l > 0) add_below(layers[l], layers[l - 1], record, gain, out);
  }
}

template <class T>
void lyapunov(const Layers<T>& layers, kpflow_context& context, int64_t count, double* out, double* smallest,
              const Progress& progress) {
  const int64_t n = layers[0].stride, steps = layers[0].steps;
  double least = std::numeric_limits<double>::infinity();
  std::mutex mutex;
  context.pool.run(layers[0].trials, [&](int64_t b, int) {
    // Rows of basis are the columns of Q, so J Q is basis J^T.
    Array<double> jacobian(n * n), basis(count * n), product(count * n), diagonal(count), gain;
    std::memset(basis.data(), 0, static_cast<size_t>(count * n) * sizeof(double));
    for (int64_t i = 0; i < count; ++i) basis[i * n + i] = 1;
    std::fill_n(out + b * count, count, 0.0);
    double trial_least = std::numeric_limits<double>::infinity();
    for (int64_t t = 0; t < steps; ++t) {
      progress.advance(1);
      step_jacobian(layers, b, t, gain, jacobian.data());
      gemm(false, true, count, n, n, 1.0, basis.data(), n, jacobian.data(), n, 0.0, product.data(), n);
      std::swap(basis, product);
      orthonormalize(count, n, basis.data(), diagonal.data());
      for (int64_t i = 0; i < count; ++i) {
        const double r = std::fabs(diagonal[i]);
        trial_least = std::min(trial_least, r);
        out[b * count + i] += std::log(r) / static_cast<double>(steps);
      }
    }
    std::lock_guard<std::mutex> lock(mutex);
    least = std::min(least, trial_least);
  });
  *smallest = least;
}

template void step_jacobian<float, float>(const Layers<float>&, int64_t, int64_t, Array<float>&, float*);
template void step_jacobian<double, double>(const Layers<double>&, int64_t, int64_t, Array<double>&, double*);
template void lyapunov<float>(const Layers<float>&, kpflow_context&, int64_t, double*, double*, const Progress&);
template void lyapunov<double>(const Layers<double>&, kpflow_context&, int64_t, double*, double*, const Progress&);

}  // namespace kpflow
