// leaky_rnn: h' = (1 - dt) h + dt (q + p), with site phi(h): q = W_hh phi(h).
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

constexpr CellShape kShape{1, 1, 0, true, true};

template <class T>
void step(const CellRow<T>& row) {
  const Record record(kShape);
  const T dt = static_cast<T>(row.parameter);
  T* a = row.derivatives + record.a(0, 0) * row.units;
  T* d = row.derivatives + record.d(0, 0) * row.units;
  for (int64_t i = 0; i < row.units; ++i) {
    row.next[i] = (T(1) - dt) * row.previous[i] + dt * (row.q[i] + row.p[i]);
    a[i] = dt;
    d[i] = T(1) - dt;
  }
}

template <class Phi, class T>
void site(int64_t units, const T* previous, T* v, T* derivative) {
  for (int64_t i = 0; i < units; ++i) {
    v[i] = Phi::value(previous[i]);
    derivative[i] = Phi::slope(previous[i], v[i]);
  }
}

template <class Phi>
Cell cell(const char* name) {
  return Cell{name, kShape, step<float>, step<double>, site<Phi, float>, site<Phi, double>};
}

const RegisterCell tanh_cell(cell<Tanh>("leaky_rnn_tanh")), relu_cell(cell<Relu>("leaky_rnn_relu")),
    gelu_cell(cell<Gelu>("leaky_rnn_gelu")), linear_cell(cell<Linear>("leaky_rnn_linear"));

}  // namespace

}  // namespace kpflow
