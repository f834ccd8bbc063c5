// rnn: h' = phi(q + p).
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

constexpr CellShape kShape{1, 1, 0, false, false};

template <class Phi, class T>
void step(const CellRow<T>& row) {
  const Record record(kShape);
  T* a = row.derivatives + record.a(0, 0) * row.units;
  for (int64_t i = 0; i < row.units; ++i) {
    const T z = row.q[i] + row.p[i], y = Phi::value(z);
    row.next[i] = y;
    a[i] = Phi::slope(z, y);
  }
}

template <class Phi>
Cell cell(const char* name) {
  return Cell{name, kShape, step<Phi, float>, step<Phi, double>, nullptr, nullptr};
}

const RegisterCell tanh_cell(cell<Tanh>("rnn_tanh")), relu_cell(cell<Relu>("rnn_relu")),
    gelu_cell(cell<Gelu>("rnn_gelu")), linear_cell(cell<Linear>("rnn_linear"));

}  // namespace

}  // namespace kpflow
