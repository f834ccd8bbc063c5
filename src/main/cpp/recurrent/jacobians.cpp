#include "recurrent/jacobians.hpp"

#include <algorithm>

#include "linalg/blas.hpp"

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

template void step_jacobian<float, float>(const Layers<float>&, int64_t, int64_t, Array<float>&, float*);
template void step_jacobian<float, double>(const Layers<float>&, int64_t, int64_t, Array<double>&, double*);
template void step_jacobian<double, double>(const Layers<double>&, int64_t, int64_t, Array<double>&, double*);

}  // namespace kpflow
